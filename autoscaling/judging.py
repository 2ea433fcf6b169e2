"""Judge policies over the whole range of delays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.delays import Delays
from autoscaling.lanes import run_lanes
from autoscaling.policies import VariantScaling
from autoscaling.simulator import simulate
from autoscaling.workload import OpenLoop


@dataclass(frozen=True)
class InstanceOption:
    """An instance type that may be used, with its measured capacity and its price."""

    instance_type: str
    capacity: InstanceCapacity
    usd_per_hour: float

    @property
    def per_minute(self) -> float:
        """Requests / minute that one instance can serve."""
        return 60 * self.capacity.max_rps


@dataclass(frozen=True)
class Setting:
    """Everything but the policy and the workload."""

    slo: Slo
    delays: tuple[Delays, ...]
    starts_at: datetime


class Score(NamedTuple):
    """What a policy costs and how well it serves; means over the delay settings unless stated."""

    cost_usd: float
    slo_violation_minutes: float
    worst_violation_minutes: float
    """At the worst delay setting."""
    error_share: float
    """Share of the requests that are rejected, time out or are late."""
    worst_error_share: float
    """At the worst delay setting."""


class Appraisal(NamedTuple):
    """A policy with its score, from full simulations."""

    instance_type: str
    policy: VariantScaling
    score: Score
    by_delay: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "instance_type": self.instance_type,
            **self.score._asdict(),
            "by_delay": list(self.by_delay),
            "policy": self.policy.model_dump(mode="json", exclude_none=True),
        }


def judge(
    scalings: Sequence[VariantScaling], workload: OpenLoop, option: InstanceOption, setting: Setting
) -> list[Score]:
    """Judge many policies.

    Parameters
    ----------
    scalings
        All fit for lanes.
    workload, option, setting
        What arrives, on what instances, under which conditions.

    Returns
    -------
    list of Score
        In order of the policies.
    """
    found = run_lanes(
        scalings,
        workload,
        capacity=option.capacity,
        slo=setting.slo,
        delays=setting.delays,
        starts_at=setting.starts_at,
    )
    columns = np.stack(
        [
            found.instance_hours.mean(axis=0) * option.usd_per_hour,
            found.violation_minutes.mean(axis=0),
            found.violation_minutes.max(axis=0),
            found.error_share.mean(axis=0),
            found.error_share.max(axis=0),
        ],
        axis=1,
    )  # (policies, fields of Score)
    return [Score(*row) for row in columns.tolist()]


def appraise(scaling: VariantScaling, workload: OpenLoop, option: InstanceOption, setting: Setting) -> Appraisal:
    """Simulate one policy in full, at every delay setting.

    Parameters
    ----------
    scaling
        Any policy.
    workload, option, setting
        As in judge.

    Returns
    -------
    Appraisal
        Its score and the summary at every delay setting.
    """
    rows = []
    for delays in setting.delays:
        result = simulate(
            scaling,
            workload,
            capacity=option.capacity,
            slo=setting.slo,
            delays=delays,
            usd_per_hour=option.usd_per_hour,
            starts_at=setting.starts_at,
        )
        rows.append(
            {
                "publication_lag_seconds": delays.publication_lag_seconds,
                "provisioning_seconds": delays.provisioning_seconds,
                "cost_usd": result.cost_usd,
                "slo_violation_minutes": result.violation_minutes,
                "error_share": result.error_share,
            }
        )
    costs, violations, errors = (
        np.array([row[name] for row in rows], dtype=float)
        for name in ("cost_usd", "slo_violation_minutes", "error_share")
    )
    score = Score(
        *(float(value) for value in (costs.mean(), violations.mean(), violations.max(), errors.mean(), errors.max()))
    )
    return Appraisal(option.instance_type, scaling, score, tuple(rows))
