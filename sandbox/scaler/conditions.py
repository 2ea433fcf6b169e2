"""Under which conditions the sandbox scales: how fast its time runs, what an instance can do, how long things take."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from autoscaling.delays import Delays


class Conditions(BaseModel):
    """Conditions of a live run.

    The defaults are those of a sandbox at work: real time, no limit but the machine's, instances that come when they
    have started. A compressed run sets all of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_scale: Annotated[float, Field(ge=1, le=60)] = 1.0
    """Sandbox seconds a second. A request then counts this many times, so that rates a minute stay what they are."""
    instance_max_rps: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Requests / s that one instance serves: stands in for the instance type, which a local process has not."""
    publication_lag_seconds: Annotated[float, Field(ge=0)] = 60.0
    """From the end of a datapoint's minute until the scaler sees it, in sandbox seconds."""
    action_delay_seconds: Annotated[float, Field(ge=0)] = 60.0
    """From an alarm's change of state to its action, in sandbox seconds."""
    provisioning_seconds: Annotated[float, Field(ge=0)] = 0.0
    """From a scale-out to InService, in sandbox seconds; longer if the processes take longer to start."""

    @property
    def delays(self) -> Delays:
        """The same as the simulator's parameters."""
        return Delays(
            publication_lag_seconds=self.publication_lag_seconds,
            action_delay_seconds=self.action_delay_seconds,
            provisioning_seconds=self.provisioning_seconds,
        )
