"""How long things take: the parameters of the simulation that AWS does not document.

The planner judges a policy over :data:`DELAY_RANGE`, never over one lucky setting.

References
----------
The article this project is built from: a new instance took 5 to 7 minutes. Field reports: 7 min 06 s, 5 to 10 min, and
once an instance that never came (34 minutes in progress, then the old count); metrics published 1 to 3 minutes late.
"""

from itertools import product
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Delays(BaseModel):
    """Model parameters in seconds; times are rounded up to the next decision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    publication_lag_seconds: Seconds = 60
    """From the end of a datapoint's period until CloudWatch has it."""
    action_delay_seconds: Seconds = 60
    """From an alarm's change of state to its action: one evaluation, at most the alarm's period."""
    provisioning_seconds: Seconds | tuple[Seconds, Seconds] | None = 360
    """From a scale-out to InService: fixed, drawn evenly from a range, or None if the instances never come."""
    failure_seconds: Seconds = 2040
    """How long an activity is in progress whose instances never come."""
    scale_in_seconds: Seconds = 60
    """How long the endpoint is updating after a scale-in (assumed); the instances leave service at its beginning."""
    seed: int = 0
    """Of the draws from a provisioning range."""

    @model_validator(mode="after")
    def _range_is_ascending(self) -> Self:
        span = self.provisioning_seconds
        if isinstance(span, tuple) and span[0] > span[1]:
            raise ValueError(f"provisioning_seconds {span[0]:g} to {span[1]:g}; give the shorter time first")
        return self


DELAY_RANGE: tuple[Delays, ...] = tuple(
    Delays(publication_lag_seconds=lag * 60, provisioning_seconds=provisioning * 60)
    for lag, provisioning in product((1, 2), (5, 6, 7))
)
"""Lag 1 to 2 minutes, provisioning 5 to 7 minutes."""
