"""The counters CloudWatch would show for an endpoint's variants, in bins of ten seconds.

Bins are those of the sandbox's clock, so that a compressed run has as many as the real one and every minute is exact:
a bin holds what was answered in it, whenever it is read. Latencies go into buckets of under 1.6 % relative width: any
percentile can be read from a bin, and bins can be added up.

References
----------
https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html (names and meanings)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.clock import SandboxClock

BIN_SECONDS = 10.0  # SageMaker's shortest interval, that of its high-resolution metric
KEPT_BINS = 4096
_PRECISION_BITS = 6


@dataclass(slots=True)
class Distribution:
    """A distribution of whole microseconds."""

    count: int = 0
    total: int = 0
    smallest: int = 0
    largest: int = 0
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, value: int) -> None:
        """Count `value` in."""
        self.smallest = value if not self.count else min(self.smallest, value)
        self.largest = max(self.largest, value)
        self.count += 1
        self.total += value
        shift = max(value.bit_length() - _PRECISION_BITS - 1, 0)
        bucket = (value >> shift) << shift
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1

    def to_json(self) -> dict[str, Any]:
        """Return ``count``, ``sum``, ``min``, ``max`` and ``buckets``: pairs of a bucket's lower end and its count."""
        return {
            "count": self.count,
            "sum": self.total,
            "min": self.smallest,
            "max": self.largest,
            "buckets": sorted(self.buckets.items()),
        }


@dataclass(slots=True)
class Bin:
    """What one variant did in ten seconds."""

    start: float
    invocations: int = 0
    invocations_per_instance: float = 0.0
    errors_4xx: int = 0
    errors_5xx: int = 0
    model_errors: int = 0
    most_concurrent: int = 0
    model_latency: Distribution = field(default_factory=Distribution)
    overhead_latency: Distribution = field(default_factory=Distribution)
    instances: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the bin under AWS's metric names; latencies are microseconds."""
        return {
            "start": self.start,
            "Invocations": self.invocations,
            "InvocationsPerInstance": self.invocations_per_instance,
            "Invocation4XXErrors": self.errors_4xx,
            "Invocation5XXErrors": self.errors_5xx,
            "InvocationModelErrors": self.model_errors,
            "ConcurrentRequestsPerModel": self.most_concurrent,
            "ModelLatency": self.model_latency.to_json(),
            "OverheadLatency": self.overhead_latency.to_json(),
            "instances": self.instances,
        }


class VariantMetrics:
    """The bins of one variant."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._bins: deque[Bin] = deque(maxlen=KEPT_BINS)
        self._end = 0.0

    def bin_now(self) -> Bin:
        """Return the bin under way."""
        now = self._clock.now()
        if now >= self._end:
            start = now // BIN_SECONDS * BIN_SECONDS
            self._end = start + BIN_SECONDS
            self._bins.append(Bin(start))
        return self._bins[-1]

    def since(self, since: float) -> list[dict[str, Any]]:
        """Return the bins that start at `since` or later, oldest first; ten seconds without a request have none."""
        return [each.to_json() for each in self._bins if each.start >= since]


class Metrics:
    """The metrics of every endpoint's variants; they outlive a change of the endpoint's routes."""

    def __init__(self) -> None:
        self.clock = SandboxClock()
        self._variants: dict[tuple[str, str], VariantMetrics] = {}
        self._fleets: dict[tuple[str, str], VariantMetrics] = {}

    def variant(self, endpoint: str, variant: str) -> VariantMetrics:
        """Return where a variant's requests are counted."""
        return self._variants.setdefault((endpoint, variant), VariantMetrics(self.clock))

    def fleet(self, endpoint: str, variant: str, config: str) -> VariantMetrics:
        """Return where the requests to a variant's new fleet are counted, which has this endpoint configuration."""
        return self._fleets.setdefault((endpoint, f"{variant}/{config}"), VariantMetrics(self.clock))

    def forget(self, endpoint: str) -> None:
        """Drop a deleted endpoint's bins."""
        for metrics in (self._variants, self._fleets):
            for key in [key for key in metrics if key[0] == endpoint]:
                del metrics[key]

    def since(self, since: float) -> dict[str, Any]:
        """Return bins: ``endpoints`` by endpoint and variant, ``fleets`` by endpoint and ``<variant>/<config>``."""
        return {"endpoints": _told(self._variants, since), "fleets": _told(self._fleets, since)}


def _told(metrics: Mapping[tuple[str, str], VariantMetrics], since: float) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for (endpoint, name), bins in metrics.items():
        told.setdefault(endpoint, {})[name] = bins.since(since)
    return told
