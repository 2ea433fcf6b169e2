"""What one instance can do and what is promised: the measured inputs of the latency model.

Every number here is measured (by a load test and `sagescale fit`) or given by the user; an assumed default says so.
"""

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Routing = Literal["RANDOM", "LEAST_OUTSTANDING_REQUESTS"]


class InstanceCapacity(BaseModel):
    """Capacity of one instance behind an endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_rps: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] = 1200.0
    """Requests / s that one instance serves at most (the article's plateau on ml.m4.xlarge)."""
    unloaded_seconds: Positive | None = None
    """Response time of a request that never waits, network and service together; by default the service time alone."""
    workers: Annotated[int, Field(ge=1, le=1024)] = 4
    """Requests served at the same time: by default one for each vCPU of ml.m4.xlarge."""
    queue_limit: Annotated[int, Field(ge=1)] = 2048
    """Waiting requests beyond which an instance rejects: gunicorn's default backlog, assumed."""
    timeout_seconds: Positive = 60.0
    """InvokeEndpoint waits this long for an answer (SageMaker, "Use your own inference code")."""
    routing: Routing = "RANDOM"
    """RANDOM (assumed to be SageMaker's default) keeps a queue for each instance, the other approaches one for all."""

    @model_validator(mode="after")
    def _unloaded_time_includes_service(self) -> Self:
        if self.unloaded_seconds is not None and self.unloaded_seconds < self.service_seconds:
            raise ValueError(
                f"unloaded_seconds {self.unloaded_seconds} is below the service time workers / max_rps = "
                f"{self.service_seconds:g} s; raise it or lower workers"
            )
        return self

    @cached_property
    def service_seconds(self) -> float:
        """Mean time in service."""
        return self.workers / self.max_rps

    @cached_property
    def outside_seconds(self) -> float:
        """Time of a request outside the instance: network and client."""
        return 0.0 if self.unloaded_seconds is None else self.unloaded_seconds - self.service_seconds


class Slo(BaseModel):
    """Service-level objective: a minute violates it when too many of its requests fail or are late."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p95_ms: Positive = 1000.0
    """A request that takes longer than this is late."""

    @property
    def max_bad_share(self) -> float:
        """Share of rejected, timed-out and late requests above which a minute violates: p95 leaves 5 %."""
        return 0.05
