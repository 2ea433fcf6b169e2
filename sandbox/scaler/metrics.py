"""What CloudWatch shows of endpoints: SageMaker's metrics under their names, dimensions and units.

moto asks its metric providers at every read, so nothing is stored twice. Latency percentiles, which moto lacks, are
read from the data plane's buckets (under 1.6 % wide).

References
----------
https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from moto.cloudwatch.models import Dimension, MetricAggregatedDatum, MetricDatum, MetricDatumBase, Statistics
from moto.core.common_models import CloudWatchMetricProvider

from sandbox.clock import moment
from sandbox.runtime import ACCOUNT_ID
from sandbox.scaler.counters import LATENCIES, Counts, Latency

KEPT_MINUTES = 1440  # a day of one variant; moto goes through all of them at every read
INVOCATION_NAMESPACE = "AWS/SageMaker"
INSTANCE_NAMESPACE = "/aws/sagemaker/Endpoints"
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")


class LatencyDatum(MetricAggregatedDatum):
    """One minute of a latency metric, in microseconds."""

    def __init__(self, name: str, dimensions: list[dict[str, str]], seconds: float, latency: Latency) -> None:
        super().__init__(
            INVOCATION_NAMESPACE,
            name,
            min(latency.buckets),
            max(latency.buckets),
            latency.count,
            latency.total_us,
            dimensions,
            _stamp(seconds),
            "Microseconds",
        )
        self.latency = latency


class EndpointMetrics(CloudWatchMetricProvider):
    """Every endpoint's metrics, a value a minute and metric."""

    region: ClassVar[str] = ""
    _data: ClassVar[dict[tuple[str, ...], deque[list[MetricDatumBase]]]] = {}

    @classmethod
    def publish(
        cls,
        endpoint: str,
        variant: str,
        start: float,
        counts: Counts,
        instance: dict[str, tuple[float, str]],
        *,
        config: str | None = None,
    ) -> None:
        """Make one minute known.

        Parameters
        ----------
        endpoint, variant : str
        start : float
            Of the minute, seconds since the epoch in sandbox time.
        counts : Counts
            What happened in it.
        instance : dict of str to (value, unit)
            Metrics of the variant's instances, by name.
        config : str, optional
            Endpoint configuration of a new fleet, whose metrics have it as one more dimension.
        """
        dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
        if config:
            dimensions.append({"Name": "EndpointConfigName", "Value": config})
        minute = [_counted(name, value, dimensions, start, counts) for name, value in counts.values.items()]
        minute += [
            LatencyDatum(name, dimensions, start, counts.latencies[name])
            for name in LATENCIES
            if counts.latencies[name].buckets
        ]
        minute += [
            MetricDatum(
                INVOCATION_NAMESPACE if name == "ConcurrentRequestsPerModel" else INSTANCE_NAMESPACE,
                name,
                value,
                dimensions,
                _stamp(start),
                unit,
            )
            for name, (value, unit) in instance.items()
        ]
        cls._data.setdefault((endpoint, variant, config or ""), deque(maxlen=KEPT_MINUTES)).append(minute)

    @staticmethod
    def get_cloudwatch_metrics(account_id: str, region: str) -> list[MetricDatumBase]:
        """Return all data; moto's hook."""
        if (account_id, region) != (ACCOUNT_ID, EndpointMetrics.region):
            return []
        variants = list(EndpointMetrics._data.values())
        return [datum for minutes in variants for minute in list(minutes) for datum in minute]


def _counted(
    name: str, value: float, dimensions: list[dict[str, str]], start: float, counts: Counts
) -> MetricDatumBase:
    """Return a minute of a count; of errors each request is a sample, 0 or 1, so that the average is their share."""
    requests = counts.values["Invocations"]
    if name.endswith("Errors") and requests:
        low, high = float(value >= requests), float(value > 0)
        return MetricAggregatedDatum(
            INVOCATION_NAMESPACE, name, low, high, requests, value, dimensions, _stamp(start), "None"
        )
    return MetricDatum(INVOCATION_NAMESPACE, name, value, dimensions, _stamp(start), "None")


def _stamp(seconds: float) -> datetime:
    return moment(seconds).replace(tzinfo=None)  # moto's own are naive


_moto_statistic = Statistics.get_statistics_for_type


def install(region: str) -> None:
    """Set this file's seams in moto."""
    EndpointMetrics.region = region
    Statistics.get_statistics_for_type = _statistic  # type: ignore[method-assign, assignment] # a seam
    Dimension.__lt__ = _precedes  # type: ignore[method-assign] # moto's own is no order: three in another one never match


def _precedes(one: Dimension, other: Dimension) -> bool:
    return bool((one.name, one.value) < (other.name, other.value))


def _statistic(statistics: Any, name: str) -> Any:
    """Return a statistic of moto's, or a percentile."""
    match = _PERCENTILE.fullmatch(name)
    if not match:
        return _moto_statistic(statistics, name)
    return percentile(statistics.metric_data, float(match[1]))


def percentile(data: Iterable[MetricDatumBase], percent: float) -> float | None:
    """Return a percentile of data; None without data.

    Parameters
    ----------
    data : iterable of MetricDatumBase
        Single values, and latencies with their buckets.
    percent : float
        0 to 100.
    """
    counts: dict[float, float] = {}
    for datum in data:
        if isinstance(datum, LatencyDatum):
            for low, count in datum.latency.buckets.items():
                counts[low] = counts.get(low, 0.0) + count
        elif isinstance(datum, MetricDatum):
            counts[datum.value] = counts.get(datum.value, 0.0) + 1
    wanted = sum(counts.values()) * percent / 100
    for value in sorted(counts):
        wanted -= counts[value]
        if wanted <= 0:
            return value
    return None
