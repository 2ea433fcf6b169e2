"""What a simulation found: a timeline by minute, the activities with their reasons, and the summary."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.elasticity import Elasticity, elasticity
from autoscaling.engine import Decision
from autoscaling.latency import Floats
from autoscaling.service_level import Counts, ServiceLevel
from autoscaling.workload import ClosedLoop, Workload


@dataclass(frozen=True, slots=True)
class ActivityRecord:
    """One scaling activity, in the words of DescribeScalingActivities."""

    start_seconds: float
    end_seconds: float | None
    previous: int
    desired: int
    status: Literal["InProgress", "Successful", "Failed"]
    cause: str
    description: str
    status_message: str

    @classmethod
    def begun(cls, decision: Decision, now: float) -> "ActivityRecord":
        """Activity of a decision that scales."""
        message = f"Successfully set desired instance count to {decision.capacity}. Waiting for change to be fulfilled."
        return cls(
            now, None, decision.previous, decision.capacity, "InProgress", decision.cause, decision.description, message
        )

    def ended(self, now: float, *, succeeded: bool) -> "ActivityRecord":
        """Activity after its instances came, or did not."""
        fulfilled = f"Successfully set desired instance count to {self.desired}. Change successfully fulfilled."
        failed = f"Instances did not come; the instance count is {self.previous} again."
        status: Literal["Successful", "Failed"] = "Successful" if succeeded else "Failed"
        return replace(self, end_seconds=now, status=status, status_message=fulfilled if succeeded else failed)


class CapacityChange(NamedTuple):
    """A decision that scaled, and when it was carried out."""

    decision: Decision
    start_tick: int
    end_tick: int | None = None
    """None while the instances have not come."""
    succeeded: bool = False


@dataclass(frozen=True, eq=False)
class Simulation:
    """Result of one simulation; arrays have one value a tick unless stated."""

    tick_seconds: float
    workload: Workload
    capacity: InstanceCapacity
    slo: Slo
    usd_per_hour: float
    demand: Counts
    """Of shape (n_minutes,): fewest instances that meet the SLO."""
    in_service: Floats
    desired: Floats
    level: ServiceLevel
    decisions: tuple[tuple[int, Decision], ...]
    """Tick and decision, wherever an alarm or a schedule asked for something."""
    changes: tuple[CapacityChange, ...]
    """In order of time."""

    @cached_property
    def activities(self) -> tuple[ActivityRecord, ...]:
        """The changes in the words of DescribeScalingActivities."""
        records = []
        for change in self.changes:
            record = ActivityRecord.begun(change.decision, change.start_tick * self.tick_seconds)
            if change.end_tick is not None:
                record = record.ended(change.end_tick * self.tick_seconds, succeeded=change.succeeded)
            records.append(record)
        return tuple(records)

    @cached_property
    def requests(self) -> Floats:
        """Of shape (n_minutes,), requests / minute."""
        return self._by_minute(self.level.requests, np.sum)

    @cached_property
    def bad_share(self) -> Floats:
        """Of shape (n_minutes,): share of requests rejected, timed out or late; 0 where none arrive."""
        bad = self._by_minute(self.level.bad, np.sum)
        return np.divide(bad, self.requests, out=np.zeros_like(bad), where=self.requests > 0)

    @cached_property
    def violating(self) -> NDArray[np.bool_]:
        """Of shape (n_minutes,): minutes that violate the SLO."""
        return self.bad_share > self.slo.max_bad_share

    @cached_property
    def cost_usd(self) -> float:
        """Price of the instances in service."""
        return float(self.in_service.sum()) * self.tick_seconds / 3600 * self.usd_per_hour

    @cached_property
    def error_share(self) -> float:
        """Share of all requests that are rejected, time out or are late."""
        total = float(self.level.requests.sum())
        return float(self.level.bad.sum()) / total if total > 0 else 0.0

    @property
    def violation_minutes(self) -> int:
        """Minutes that violate the SLO."""
        return int(self.violating.sum())

    @cached_property
    def elasticity(self) -> Elasticity:
        """SPEC's measures of supply against demand."""
        supply = self._by_minute(self.in_service, np.mean)
        return elasticity(self.demand.astype(float), supply)

    def summary(self) -> dict[str, Any]:
        """Totals.

        Returns
        -------
        dict
            Plain numbers, for JSON.
        """
        level, total = self.level, max(float(self.level.requests.sum()), 1e-300)
        return {
            "minutes": self.workload.minutes,
            "requests": float(level.requests.sum()),
            "average_rps": float(level.requests.sum()) / (self.workload.minutes * 60),
            "cost_usd": self.cost_usd,
            "instance_hours": float(self.in_service.sum()) * self.tick_seconds / 3600,
            "instances_start": int(self.in_service[0]),
            "instances_end": int(self.in_service[-1]),
            "instances_max": int(self.in_service.max()),
            "slo_violation_minutes": self.violation_minutes,
            "error_share": self.error_share,
            "rejected_share": float(level.rejected.sum()) / total,
            "timed_out_share": float(level.timed_out.sum()) / total,
            "late_share": float(level.late.sum()) / total,
            "saturated_minutes": int(self._by_minute(level.saturated.astype(float), np.max).sum()),
            "activities": len(self.changes),
            "elasticity": self.elasticity._asdict(),
        }

    def timeline(self) -> dict[str, list[Any]]:
        """Columns with one value a minute.

        Returns
        -------
        dict of list
            Units stand in the names; `reason` is AWS's code of the minute's last decision, empty where nothing asked.
        """
        level, minutes = self.level, self.workload.minutes
        reasons = [""] * minutes
        for tick, decision in self.decisions:
            reasons[int(tick * self.tick_seconds // 60)] = decision.outcome.value
        columns: dict[str, list[Any]] = {"minute": list(range(minutes))}
        if isinstance(self.workload, ClosedLoop):
            columns["users"] = ((self.workload.users[:-1] + self.workload.users[1:]) / 2).tolist()
        columns |= {
            "requests": self.requests.tolist(),
            "in_service": self._by_minute(self.in_service, np.mean).tolist(),
            "desired": self._by_minute(self.desired, np.max).tolist(),
            "demand": self.demand.tolist(),
            "requests_per_instance": self._by_minute(level.requests / self.in_service, np.sum).tolist(),
            "cpu_percent": (100 * self._by_minute(level.utilisation, np.mean)).tolist(),
            "p50_ms": self._by_minute(level.p50_ms, np.max).tolist(),
            "p95_ms": self._by_minute(level.p95_ms, np.max).tolist(),
            "rejected": self._by_minute(level.rejected, np.sum).tolist(),
            "timed_out": self._by_minute(level.timed_out, np.sum).tolist(),
            "late": self._by_minute(level.late, np.sum).tolist(),
            "bad_share": self.bad_share.tolist(),
            "violating": self.violating.tolist(),
            "saturated": self._by_minute(level.saturated.astype(float), np.max).astype(bool).tolist(),
            "reason": reasons,
        }
        return columns

    def _by_minute(self, values: Floats, reduce: Callable[..., Floats]) -> Floats:
        if self.tick_seconds == 60:
            return values
        return reduce(values.reshape(self.workload.minutes, -1), axis=1)
