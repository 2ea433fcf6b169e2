"""How an endpoint moves to another model: at once, by a canary, in equal steps, or in batches of instances.

Whatever is not all at once, or waits, watches alarms on the new fleet meanwhile and goes back when one goes off.

References
----------
SageMaker API, TrafficRoutingConfig, BlueGreenUpdatePolicy, RollingUpdatePolicy, CapacitySize; developer guide,
"Deployment guardrails" with its "Exclusions".
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from config.group import Group

NOTICED_WITHIN_SECONDS = 240
"""What an alarm needs: three minutes, and one until the last of them is published (assumed)."""
MOST_ALARMS = 10  # AutoRollbackConfig
SHORTEST_TIMEOUT_SECONDS, LONGEST_TIMEOUT_SECONDS = 600, 28_800

Seconds = Annotated[int, Field(ge=0, le=3600)]
Share = Annotated[float, Field(ge=0, lt=1)]


class CapacitySize(Group):
    """A part of a fleet: a number of instances, or a share of them."""

    instance_count: Annotated[int, Field(ge=1)] | None = None
    capacity_percent: Annotated[int, Field(ge=1, le=100)] | None = None

    @model_validator(mode="after")
    def _is_given_once(self) -> Self:
        if (self.instance_count is None) == (self.capacity_percent is None):
            raise ValueError("give exactly one of instance_count and capacity_percent")
        return self

    def percent_of(self, fleet: int) -> float:
        """Return which share of `fleet` instances it is (0 to 100 and beyond)."""
        return self.capacity_percent or 100 * (self.instance_count or 0) / fleet

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"{self.capacity_percent} %" if self.capacity_percent else f"{self.instance_count} instance(s)"


class Rollback(Group):
    """Bounds on what the new fleet does, each of them an alarm: two of three minutes above one, and the old is back."""

    error_share: Share = 0.01
    """Share of its requests that end with a 5xx."""
    model_error_share: Share = 0.05
    """Share of its requests that the container does not answer with a 2xx: callers' bad requests count, too."""
    p99_latency_ms: Annotated[float, Field(gt=0)] = 1_000
    """Time in its container that 99 of 100 requests stay below."""

    ALARMS: ClassVar[int] = 3


class Strategy(Group):
    """What all strategies have in common."""

    wait_interval_seconds: Seconds = 300
    """How long the new fleet is watched after each step."""
    termination_wait_seconds: Seconds = 0
    """How long the old fleet is kept after that."""
    maximum_execution_timeout_seconds: Annotated[
        int, Field(ge=SHORTEST_TIMEOUT_SECONDS, le=LONGEST_TIMEOUT_SECONDS)
    ] = 3_600
    """SageMaker gives up, and goes back, after this time."""
    rollback: Rollback = Rollback()

    @property
    def bakes(self) -> bool:
        """Whether the new fleet is watched."""
        return self.wait_interval_seconds > 0

    def waits_seconds(self, fleet: int) -> int:
        """Return how long an update of `fleet` instances waits, without the time to start them."""
        return self.steps(fleet) * self.wait_interval_seconds + self.termination_wait_seconds

    def steps(self, fleet: int) -> int:
        """Return after how many steps all traffic of `fleet` instances has moved."""
        shares = [size.percent_of(fleet) for size, _, _ in self.sizes().values()]
        return math.ceil(100 / shares[0]) if shares else 1

    def sizes(self) -> dict[str, tuple[CapacitySize, int, int]]:
        """Return its sizes by name, each with the least and the most percent of a fleet that AWS takes."""
        return {}

    @model_validator(mode="after")
    def _watches_long_enough(self) -> Self:
        if self.wait_interval_seconds < NOTICED_WITHIN_SECONDS and (self.bakes or self.sizes()):
            raise ValueError(
                f"wait_interval_seconds = {self.wait_interval_seconds} ends before an alarm can go off: at least "
                f"{NOTICED_WITHIN_SECONDS} are needed{'' if self.sizes() else ', or 0 for no alarms'}"
            )
        return self


class AllAtOnce(Strategy):
    """All traffic moves when the new fleet is healthy."""

    strategy: Literal["all_at_once"] = "all_at_once"
    wait_interval_seconds: Seconds = 0
    """How long the new fleet is watched before the old one ends; 0: not at all, and there are no alarms."""

    @model_validator(mode="after")
    def _has_bounds_only_where_it_watches(self) -> Self:
        if "rollback" in self.model_fields_set and not self.bakes:
            raise ValueError(f"rollback has no meaning without wait_interval_seconds >= {NOTICED_WITHIN_SECONDS}")
        return self


class Canary(Strategy):
    """A part of the traffic moves first; the rest follows when the part did well."""

    strategy: Literal["canary"]
    canary_size: CapacitySize = CapacitySize(capacity_percent=10)

    def steps(self, fleet: int) -> int:  # noqa: ARG002 - those of other strategies depend on it
        """Return 2: the canary and the rest."""
        return 2

    def sizes(self) -> dict[str, tuple[CapacitySize, int, int]]:
        """Return the canary's size."""
        return {"canary_size": (self.canary_size, 0, 50)}


class Linear(Strategy):
    """Traffic moves in equal steps, each of which must do well."""

    strategy: Literal["linear"]
    linear_step_size: CapacitySize = CapacitySize(capacity_percent=25)

    def sizes(self) -> dict[str, tuple[CapacitySize, int, int]]:
        """Return the size of a step."""
        return {"linear_step_size": (self.linear_step_size, 10, 50)}


class Rolling(Strategy):
    """Instances are replaced batch by batch: no second fleet is needed, which large instances often cannot get."""

    strategy: Literal["rolling"]
    termination_wait_seconds: Literal[0] = 0
    """Old instances go with each batch."""
    maximum_batch_size: CapacitySize = CapacitySize(capacity_percent=25)
    rollback_maximum_batch_size: CapacitySize | None = None
    """By default the whole old fleet comes back at once."""

    def sizes(self) -> dict[str, tuple[CapacitySize, int, int]]:
        """Return the size of a batch, and of one on the way back where it is given."""
        back = self.rollback_maximum_batch_size
        return {
            "maximum_batch_size": (self.maximum_batch_size, 5, 50),
            **({"rollback_maximum_batch_size": (back, 5, 100)} if back else {}),
        }


Deployment = Annotated[AllAtOnce | Canary | Linear | Rolling, Field(discriminator="strategy")]


def misfits(deployment: Strategy, fleets: dict[str, tuple[int, int]]) -> list[str]:
    """Return why AWS would refuse to update these fleets so; empty when it would not.

    Parameters
    ----------
    fleets : dict of str to (int, int)
        Least and most instances of each variant, which an update may find.
    """
    problems = []
    if deployment.bakes and len(fleets) * Rollback.ALARMS > MOST_ALARMS:
        problems.append(
            f"{len(fleets)} variants with {Rollback.ALARMS} alarms each, and SageMaker watches {MOST_ALARMS} at most: "
            'use strategy = "all_at_once" without wait_interval_seconds'
        )
    if isinstance(deployment, Rolling) and len(fleets) > 1:
        problems.append(f"a rolling update takes one variant, and there are {len(fleets)}: use canary or linear")
    for name, (least, most) in fleets.items():
        problems += _misfits(deployment, name, least, most)
    return problems


def _misfits(deployment: Strategy, variant: str, least: int, most: int) -> list[str]:
    problems = []
    for key, (size, low, high) in deployment.sizes().items():
        share = size.percent_of(least)
        if least < 2:
            problems.append(
                f"variant {variant} may run on one instance (min_capacity), of which {key} = {size} is no part: raise "
                'min_capacity to 2, or use strategy = "all_at_once"'
            )
        elif share > high:
            problems.append(
                f"{key} = {size} is {share:.0f} % of variant {variant} at its least ({least} instances), {high} % is "
                "the most: lower it or raise min_capacity"
            )
        elif size.percent_of(most) < low:
            problems.append(
                f"{key} = {size} is {size.percent_of(most):.0f} % of variant {variant} at its most ({most} instances), "
                f"{low} % is the least: raise it or lower max_capacity"
            )
    waits, timeout = deployment.waits_seconds(most), deployment.maximum_execution_timeout_seconds
    if waits >= timeout:
        problems.append(
            f"an update of variant {variant} waits {waits} s ({deployment.steps(most)} steps), and "
            f"maximum_execution_timeout_seconds = {timeout} must be more: raise it ({LONGEST_TIMEOUT_SECONDS} is the "
            "most) or wait less"
        )
    return problems
