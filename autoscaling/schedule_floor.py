"""Daily schedules of minimum capacities: what the minutes of a day usually need, without their bursts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autoscaling.latency import Floats
from autoscaling.policies import Policy, ScheduledAction
from autoscaling.workload import OpenLoop

DAY_MINUTES = 1440
_HALF_WINDOW_MINUTES = 90  # a burst shorter than this does not move the median
_LEAD_MINUTES = 15  # capacity is asked for so much earlier than it is needed


@dataclass(frozen=True, eq=False)
class Floor:
    """Instances that each minute of the day usually needs, as a fraction.

    Parameters
    ----------
    instances : ndarray of shape (1440,)
        By minute after midnight UTC.
    """

    instances: Floats


def usual_load(workload: OpenLoop) -> Floats:
    """Remove bursts from a workload.

    Parameters
    ----------
    workload
        Of any length.

    Returns
    -------
    ndarray of shape (n_minutes,), requests / minute
        Median over three hours around each minute.
    """
    margin = min(_HALF_WINDOW_MINUTES, workload.minutes - 1)
    padded = np.pad(workload.requests, margin, mode="reflect")
    medians: Floats = np.median(sliding_window_view(padded, 2 * margin + 1), axis=1)
    return medians


def floor_of(workload: OpenLoop, per_minute: float, starts_at: datetime) -> Floor | None:
    """Find what a day's minutes usually need.

    Parameters
    ----------
    workload
        At least 22 hours; several days are averaged.
    per_minute : requests / minute
        What one instance can serve.
    starts_at
        Time of the first minute.

    Returns
    -------
    Floor or None
        None if the workload does not show a day.
    """
    if workload.minutes < 22 * 60:
        return None
    first = starts_at.hour * 60 + starts_at.minute
    minute_of_day = (first + np.arange(workload.minutes)) % DAY_MINUTES
    needed = usual_load(workload) / per_minute
    total = np.bincount(minute_of_day, weights=needed, minlength=DAY_MINUTES)
    count = np.bincount(minute_of_day, minlength=DAY_MINUTES)
    seen = np.flatnonzero(count)
    means = total[seen] / count[seen]
    return Floor(np.interp(np.arange(DAY_MINUTES), seen, means, period=DAY_MINUTES))


def floor_actions(floor: Floor, block_minutes: int, margin: float, minimum: int, maximum: int) -> list[Policy]:
    """Make a daily schedule of minimum capacities.

    Parameters
    ----------
    floor
        What the minutes of a day usually need.
    block_minutes
        How long a minimum holds: a divisor of a day.
    margin
        Factor on the need.
    minimum, maximum
        Bounds of the minimum.

    Returns
    -------
    list of ScheduledAction
        One for each change of the minimum; none if it never changes.
    """
    needs = np.ceil(floor.instances.reshape(-1, block_minutes).max(axis=1) * margin - 1e-9)
    counts = np.clip(needs, minimum, maximum).astype(int).tolist()
    actions: list[Policy] = []
    for block, count in enumerate(counts):
        before = counts[block - 1]
        if count == before:
            continue
        begins = timedelta(minutes=block * block_minutes - (_LEAD_MINUTES if count > before else 0))
        minute = int(begins.total_seconds() // 60) % DAY_MINUTES
        actions.append(
            ScheduledAction(
                name=f"floor-{minute // 60:02}{minute % 60:02}",
                schedule=f"cron({minute % 60} {minute // 60} * * ? *)",
                min_capacity=count,
            )
        )
    return actions
