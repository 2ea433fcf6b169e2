"""What happened between two looks at the data plane's counters.

The data plane counts in bins of its own; the scaler's intervals follow the sandbox's clock, which may be compressed. So
an interval is the difference of two looks, and the counters need not know about the clock.
"""

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

    def plus(self, other: Latency, sign: float = 1.0) -> Latency:
        """Return both together, or with sign -1 what is left without the other."""
        merged = dict(self.buckets)
        for bucket, count in other.buckets.items():
            merged[bucket] = merged.get(bucket, 0) + sign * count
        return Latency(self.total_us + sign * other.total_us, {low: count for low, count in merged.items() if count})

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

    def plus(self, other: Counts, sign: float = 1.0) -> Counts:
        """Return both together, or with sign -1 what is left without the other."""
        return Counts(
            {name: self.values[name] + sign * other.values[name] for name in COUNTERS},
            {name: self.latencies[name].plus(other.latencies[name], sign) for name in LATENCIES},
        )

    def times(self, factor: float) -> Counts:
        """Return the counts with every request counted `factor` times."""
        return Counts(
            {name: value * factor for name, value in self.values.items()},
            {name: latency.times(factor) for name, latency in self.latencies.items()},
        )


class Counters:
    """Remembers what it has seen, so that it can tell what is new."""

    def __init__(self) -> None:
        self._seen: dict[VariantKey, dict[float, Counts]] = {}

    def advance(self, endpoints: Mapping[str, Any]) -> dict[VariantKey, Counts]:
        """Take a new look.

        Parameters
        ----------
        endpoints
            Bins by endpoint and variant, or by endpoint and fleet, of the data plane's ``GET /_sandbox/metrics``.

        Returns
        -------
        dict of (endpoint, variant or fleet) to Counts
            What happened since the look before; a data plane that was restarted begins at zero again.
        """
        news: dict[VariantKey, Counts] = {}
        for endpoint, variants in endpoints.items():
            for variant, bins in variants.items():
                key = (endpoint, variant)
                before = self._seen.setdefault(key, {})
                total, oldest = Counts(), min(before, default=0.0)
                for each in bins:
                    if each["start"] < oldest:
                        continue  # can grow no more, and was counted
                    counts = Counts.of_bins([each])
                    total = total.plus(_grown(counts, before.get(each["start"])))
                    before[each["start"]] = counts
                for old in sorted(before)[:-2]:
                    del before[old]
                news[key] = total
        return news


def _grown(now: Counts, before: Counts | None) -> Counts:
    if before is None or now.values["Invocations"] < before.values["Invocations"]:
        return now
    return now.plus(before, sign=-1.0)
