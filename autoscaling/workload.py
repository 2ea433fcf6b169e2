"""Workloads: requests that arrive whatever happens (open loop), or users who wait for their answer (closed loop).

Rates are constant within a minute; a minute's own bursts are not modelled.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from autoscaling.latency import Floats

MOST_REQUESTS = 1e12  # a minute: whoever has more has made a mistake, and sums of them overflow


@dataclass(frozen=True, eq=False)
class OpenLoop:
    """Requests that arrive at given rates.

    Parameters
    ----------
    requests : ndarray of shape (n_minutes,), requests / minute
        0 to MOST_REQUESTS.
    """

    requests: Floats

    def __post_init__(self) -> None:
        bad = np.flatnonzero(~((self.requests >= 0) & (self.requests <= MOST_REQUESTS)))
        if self.requests.ndim != 1 or self.requests.size == 0:
            raise ValueError(
                f"requests of shape {self.requests.shape}; allowed: one rate a minute, at least one minute"
            )
        if bad.size:
            raise ValueError(f"minute {bad[0]}: {self.requests[bad[0]]} requests; allowed: 0 to {MOST_REQUESTS:g}")

    @property
    def minutes(self) -> int:
        """Length."""
        return int(self.requests.size)

    def scaled_to(self, busiest: float) -> "OpenLoop":
        """Workload of the same shape whose busiest minute has a given number of requests.

        Parameters
        ----------
        busiest : requests / minute
            Above zero.

        Returns
        -------
        OpenLoop
            All zeros stay all zeros.
        """
        peak = float(self.requests.max())
        return OpenLoop(self.requests * (busiest / peak)) if peak > 0 else self


@dataclass(frozen=True, eq=False)
class ClosedLoop:
    """Users who each wait for an answer, think, and ask again.

    Parameters
    ----------
    users : ndarray of shape (n_minutes + 1,)
        Active users at the minutes' borders; in between they change linearly.
    think_time_seconds
        From an answer to the same user's next request.
    """

    users: Floats
    think_time_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.users.ndim != 1 or self.users.size < 2 or not np.isfinite(self.users).all() or (self.users < 0).any():
            raise ValueError("users at the minutes' borders; allowed: at least two finite numbers, 0 or more")
        if not (math.isfinite(self.think_time_seconds) and self.think_time_seconds >= 0):
            raise ValueError(f"think_time_seconds {self.think_time_seconds}; allowed: 0 or more")

    @property
    def minutes(self) -> int:
        """Length."""
        return int(self.users.size) - 1


Workload = OpenLoop | ClosedLoop


def mean_throughput(users: Floats, rate: Floats | float, outside_seconds: float) -> Floats:
    """Mean of min(N / Z, C) over intervals in which N changes linearly.

    Parameters
    ----------
    users : ndarray of shape (n + 1,)
        N at the intervals' borders.
    rate : requests / s
        C.
    outside_seconds
        Z.

    Returns
    -------
    ndarray of shape (n,), requests / s
        Exact: where an interval crosses the knee, its two parts are weighted.
    """
    offered = users / outside_seconds
    low, high = np.minimum(offered[:-1], offered[1:]), np.maximum(offered[:-1], offered[1:])
    span = np.where(high > low, high - low, 1.0)
    below = np.clip((rate - low) / span, 0.0, 1.0)  # share of the interval below the knee
    crossing = below * (low + np.minimum(high, rate)) / 2 + (1 - below) * rate
    return np.where(high <= rate, (low + high) / 2, np.where(low >= rate, rate, crossing))


def constant(per_minute: float, minutes: int) -> OpenLoop:
    """Open loop at one rate (requests / minute)."""
    return OpenLoop(np.full(minutes, per_minute, dtype=float))


def ramp(start: float, end: float, minutes: int, hold: int = 0) -> OpenLoop:
    """Open loop that changes linearly for some minutes and then holds (requests / minute)."""
    return OpenLoop(np.concatenate([np.linspace(start, end, minutes), np.full(hold, end, dtype=float)]))


def spike(base: float, peak: float, begin: int, length: int, minutes: int) -> OpenLoop:
    """Open loop at a base rate with one spike (requests / minute)."""
    requests = np.full(minutes, base, dtype=float)
    requests[begin : begin + length] = peak
    return OpenLoop(requests)


def diurnal(low: float, high: float, minutes: int = 1440, peak_at: int = 840) -> OpenLoop:
    """Open loop with a daily cycle, a sine between two rates (requests / minute)."""
    phase = 2 * np.pi * (np.arange(minutes) - peak_at) / 1440
    return OpenLoop(low + (high - low) * (1 + np.cos(phase)) / 2)


def staged(stages: list[tuple[float, int]], think_time_seconds: float = 0.0) -> ClosedLoop:
    """Move linearly from zero users through stages of (users, minutes)."""
    points = [(0.0, 0), *((float(users), minutes) for users, minutes in stages)]
    parts = [np.linspace(before[0], after[0], after[1] + 1)[1:] for before, after in pairwise(points)]
    return ClosedLoop(np.concatenate([[0.0], *parts]), think_time_seconds)


def article() -> ClosedLoop:
    """Load test of the article: 1000 users, 10 minutes of ramp, 10 minutes of hold, no thinking."""
    return staged([(1000, 10), (1000, 10)])
