"""What variants did in an interval of the sandbox's clock, from the bins in which the data plane counts by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

VariantKey = tuple[str, str]  # endpoint, variant
COUNTERS = (
    "Invocations",
    "InvocationsPerInstance",
    "Invocation4XXErrors",
    "Invocation5XXErrors",
    "InvocationModelErrors",
)
LATENCIES = ("ModelLatency", "OverheadLatency")


@dataclass(frozen=True)
class Latency:
    """A distribution of latencies.

    Parameters
    ----------
    total_us : float, microseconds
        Sum of all.
    buckets : mapping of int to float
        How many by the lower end of their bucket, in microseconds (buckets are less than 1.6 % wide).
    """

    total_us: float = 0.0
    buckets: Mapping[int, float] = field(default_factory=dict)

    @property
    def count(self) -> float:
        """How many."""
        return sum(self.buckets.values())

    def plus(self, other: Latency) -> Latency:
        """Return both together."""
        merged = dict(self.buckets)
        for bucket, count in other.buckets.items():
            merged[bucket] = merged.get(bucket, 0) + count
        return Latency(self.total_us + other.total_us, merged)

    def times(self, factor: float) -> Latency:
        """Return the distribution with each latency counted `factor` times."""
        return Latency(self.total_us * factor, {low: count * factor for low, count in self.buckets.items()})


@dataclass(frozen=True)
class Counts:
    """What one variant did."""

    values: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0.0))
    latencies: Mapping[str, Latency] = field(default_factory=lambda: {name: Latency() for name in LATENCIES})

    @classmethod
    def of_bins(cls, bins: Iterable[Mapping[str, Any]]) -> Counts:
        """Add the bins of one variant up."""
        total = cls()
        for each in bins:
            latencies = {
                name: Latency(each[name]["sum"], {int(low): count for low, count in each[name]["buckets"]})
                for name in LATENCIES
            }
            total = total.plus(cls({name: each[name] for name in COUNTERS}, latencies))
        return total

    def plus(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(
            {name: self.values[name] + other.values[name] for name in COUNTERS},
            {name: self.latencies[name].plus(other.latencies[name]) for name in LATENCIES},
        )

    def times(self, factor: float) -> Counts:
        """Return the counts with every request counted `factor` times."""
        return Counts(
            {name: value * factor for name, value in self.values.items()},
            {name: latency.times(factor) for name, latency in self.latencies.items()},
        )


def counts_between(endpoints: Mapping[str, Any], begin: float, end: float) -> dict[VariantKey, Counts]:
    """Add up what happened in an interval.

    Parameters
    ----------
    endpoints
        Bins by endpoint and variant, or by endpoint and fleet, of the data plane's ``GET /_sandbox/metrics``.
    begin, end
        In sandbox time; borders of bins.

    Returns
    -------
    dict of (endpoint, variant or fleet) to Counts
        Exact once the interval is over: the data plane counts by the same clock.
    """
    return {
        (endpoint, variant): Counts.of_bins(each for each in bins if begin <= each["start"] < end)
        for endpoint, variants in endpoints.items()
        for variant, bins in variants.items()
    }
