"""Capacity of an instance and latency outside it, from what a closed-loop load test measured.

The model is the simulator's: throughput is `min(N / Z, C n)` for N users, n instances of capacity C, and a cycle Z of
outside latency and thinking. Both parameters are fitted together by least squares over the test's intervals; their
95 % intervals come from a bootstrap over blocks of intervals. Intervals in which instances changed are better left out.

A test that never saturates its instances tells nothing but a lower bound for C, one that always does nothing about Z:
:class:`Fit` then says so instead of giving a number.

Assumes that users do not change within an interval (the mean counts), that failed requests are rare, and that instances
are alike. It fails where something else limits throughput (the load generator, an API's throttling): C is then too low.

References
----------
Interactive response-time law, e.g. Lazowska et al., "Quantitative System Performance", chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaling.capacity import InstanceCapacity

Floats = NDArray[np.float64]
BOOTSTRAPS = 400
BLOCK = 3  # intervals; neighbours share their disturbances
MIN_INTERVALS = 6
MIN_SPREAD = 1.5  # most to fewest users an instance
SEEN_SHARE = 0.15  # a parameter is told by at least this share of the intervals, else it is not told


class FitError(ValueError):
    """The measurements cannot be fitted; the message says what is missing."""


@dataclass(frozen=True)
class Measurements:
    """One value an interval.

    Parameters
    ----------
    users : ndarray of shape (n,)
        Mean of the active users.
    throughput : ndarray of shape (n,), requests / s
        Answered well.
    instances : ndarray of shape (n,)
        In service.
    """

    users: Floats
    throughput: Floats
    instances: Floats

    def __post_init__(self) -> None:
        sizes = {self.users.size, self.throughput.size, self.instances.size}
        if len(sizes) != 1:
            raise FitError(f"users, throughput and instances of {sorted(sizes)} intervals; one length is wanted")
        if not all(np.isfinite(each).all() for each in (self.users, self.throughput, self.instances)):
            raise FitError("users, throughput and instances must be finite numbers")
        if self.users.size < MIN_INTERVALS:
            raise FitError(f"{self.users.size} intervals; at least {MIN_INTERVALS} are needed: test longer")
        if not (self.users > 0).any() or not (self.throughput > 0).any() or (self.instances < 1).any():
            raise FitError("no users, no throughput or no instance; a closed-loop test under load is needed")


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, draws: Floats) -> Estimate:
        """Return the value with the draws' 2.5th and 97.5th percentile."""
        low, high = np.percentile(draws, [2.5, 97.5])
        return cls(value, min(float(low), value), max(float(high), value))


@dataclass(frozen=True)
class Fit:
    """What a load test tells.

    Parameters
    ----------
    max_rps : Estimate or None
        Requests / s that one instance serves; None where it was never busy.
    outside_seconds : Estimate or None
        Response time of a request that does not wait; None where all waited.
    think_seconds : float
        That users paused, and that is not part of it.
    """

    max_rps: Estimate | None
    outside_seconds: Estimate | None
    think_seconds: float
    highest_rps: float
    """Per instance, seen: a lower bound for its capacity."""

    def capacity(self, workers: int = 1) -> InstanceCapacity:
        """Return what the simulator and the planner take.

        Raises
        ------
        FitError
            The test did not tell the capacity.
        """
        if self.max_rps is None:
            raise FitError(
                f"no instance was saturated: it serves {self.highest_rps:.0f} requests/s or more; test with more users"
            )
        rate = self.max_rps.value
        unloaded = None if self.outside_seconds is None else max(self.outside_seconds.value, workers / rate)
        return InstanceCapacity(max_rps=rate, unloaded_seconds=unloaded, workers=workers)


def fit(measurements: Measurements, *, think_seconds: float = 0.0, seed: int = 0) -> Fit:
    """Estimate both parameters.

    Parameters
    ----------
    measurements
        Of one closed-loop test.
    think_seconds
        Pause of a user between an answer and the next request.
    seed
        Of the bootstrap.

    Returns
    -------
    Fit
        Deterministic: the same measurements and seed give the same result.

    Raises
    ------
    FitError
        The users hardly change.
    """
    load = measurements.users / measurements.instances
    if load.max() < MIN_SPREAD * max(load.min(), 1e-9):
        raise FitError(
            f"{load.min():.0f} to {load.max():.0f} users an instance: a full instance cannot be told from a slow "
            "network; test with a ramp"
        )
    capacity, cycle = _least_squares(measurements)
    random = np.random.default_rng(seed)
    draws = np.array([_least_squares(_resampled(measurements, random)) for _ in range(BOOTSTRAPS)])
    saturated = measurements.users / cycle > capacity * measurements.instances
    told = (bool(saturated.mean() >= SEEN_SHARE), bool((~saturated).mean() >= SEEN_SHARE))
    outside = np.maximum(draws[:, 1] - think_seconds, 0.0)
    return Fit(
        max_rps=Estimate.of(capacity, draws[:, 0]) if told[0] else None,
        outside_seconds=Estimate.of(max(cycle - think_seconds, 0.0), outside) if told[1] else None,
        think_seconds=think_seconds,
        highest_rps=float((measurements.throughput / measurements.instances).max()),
    )


def _resampled(measurements: Measurements, random: np.random.Generator) -> Measurements:
    """Draw blocks of neighbouring intervals, as many intervals as there are."""
    size = measurements.users.size
    starts = random.integers(0, size, size=-(-size // BLOCK))
    chosen = ((starts[:, None] + np.arange(BLOCK)) % size).ravel()[:size]
    return Measurements(measurements.users[chosen], measurements.throughput[chosen], measurements.instances[chosen])


def _least_squares(measurements: Measurements) -> tuple[float, float]:
    """Return capacity and cycle with the smallest squared error of throughput.

    For a given set of saturated intervals both have a closed form; the sets worth trying are those that a threshold on
    users per instance separates.
    """
    users, rate, instances = measurements.users, measurements.throughput, measurements.instances
    order = np.argsort(users / instances)
    users, rate, instances = users[order], rate[order], instances[order]
    # Prefix sums: the first k intervals are free (rate = users / Z), the others saturated (rate = C n).
    slope = _ratio(np.cumsum(users * rate), np.cumsum(users**2))
    plateau = _ratio(np.cumsum((instances * rate)[::-1])[::-1], np.cumsum((instances**2)[::-1])[::-1])
    steepest = _ratio(rate, users).max(keepdims=True)
    fastest = (rate / instances).max(keepdims=True)
    inverse_cycle = np.concatenate([steepest, slope])  # of 0, 1, ..., n free intervals
    capacity = np.concatenate([plateau, fastest])
    predicted = np.minimum(np.outer(inverse_cycle, users), np.outer(capacity, instances))
    errors = ((predicted - rate) ** 2).sum(axis=1)
    errors[(inverse_cycle <= 0) | (capacity <= 0)] = np.inf
    best = int(errors.argmin())
    return float(capacity[best]), float(1 / inverse_cycle[best])


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
