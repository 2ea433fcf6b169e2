"""A load test's samples as the report draws them, with what CloudWatch says of the fleet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError
from numpy.typing import NDArray

from cli.deployment import Deployment, NotDeployedError
from loadtest.report import Run
from loadtest.results import Samples
from sandbox import live
from sandbox.live import ScalingError

Column = list[float | None]
MOST_PUBLISHING_SECONDS = 180.0  # CloudWatch publishes a minute one to three minutes after its end
POLL_SECONDS = 5.0
_CUT_SHORT = (
    "Minutes are those of the clock, as CloudWatch's are: the test covers the first and the last of them in part, so "
    "that sums over these are lower."
)


@dataclass(frozen=True)
class Minutes:
    """The whole minutes that a test touches.

    Parameters
    ----------
    begin, end : float
        Of the test, seconds since the epoch.
    """

    begin: float
    end: float

    @classmethod
    def of(cls, samples: Samples) -> Minutes:
        """From the first request's start to the last one's end."""
        return cls(float((samples.finished - samples.latency_ms / 1000).min()), float(samples.finished.max()))

    @property
    def first(self) -> float:
        """Begin of the first minute."""
        return self.begin // 60 * 60

    @property
    def count(self) -> int:
        """How many."""
        return int((self.end - self.first) // 60) + 1

    def covered_seconds(self, minute: int) -> float:
        """Return how much of a minute the test covers."""
        start = self.first + 60 * minute
        return min(self.end, start + 60) - max(self.begin, start)


def to_run(samples: Samples, deployment: Deployment, *, name: str, summary: str, failures: list[str]) -> Run:
    """Return what the report draws.

    Parameters
    ----------
    samples
        Of a finished test.
    deployment
        Where CloudWatch and the scaling activities are asked; minutes that it does not know have no value.
    name, summary
        Of the run.
    failures
        Why the test failed.
    """
    known: dict[str, Column] = {}
    begun: list[dict[str, Any]] = []
    notes = list(failures)
    try:
        samples = replace(samples, finished=samples.finished + _ahead_seconds(deployment))
        minutes = Minutes.of(samples)
        known, begun = fleet(deployment, minutes), activities(deployment, minutes)
    except (NotDeployedError, ScalingError, BotoCoreError, ClientError, OSError) as error:
        minutes = Minutes.of(samples)
        notes.append(f"Nothing is known of the instances: {error}")
    measured = _by_minute(samples, minutes) | known
    good = ~samples.failed
    latency = samples.latency_ms[good]
    totals: dict[str, dict[str, float | str | None]] = {
        "requests": {"measured": int(samples.codes.size)},
        "requests / s, average": {"measured": float(good.sum()) / max(samples.seconds, 1e-9)},
        "failed requests": {"measured": int(samples.failed.sum())},
        **{f"p{p}, ms": {"measured": _percentile(latency, p)} for p in (50, 95, 99)},
        "verdict": {"measured": "failed" if failures else "passed"},
    }
    codes, counts = np.unique(samples.codes, return_counts=True)
    return Run(
        name=name,
        summary=summary,
        measured=measured,
        totals=totals,
        activities=begun,
        statuses={str(code): int(count) for code, count in zip(codes, counts, strict=True)},
        notes=[*notes, _CUT_SHORT, *_variants(deployment)],
    )


def _by_minute(samples: Samples, minutes: Minutes) -> dict[str, Column]:
    """Return what the users saw; the rate of a minute is that of its part which the test covers."""
    minute_of = ((samples.finished - minutes.first) // 60).astype(int)
    good = ~samples.failed

    def each(value: Callable[[NDArray[np.bool_]], float | None]) -> Column:
        return [value(minute_of == minute) for minute in range(minutes.count)]

    answered = np.bincount(minute_of, weights=good, minlength=minutes.count)
    covered = [max(minutes.covered_seconds(minute), 1.0) for minute in range(minutes.count)]
    return {
        "users": each(lambda now: _mean(samples.users[now])),
        "requests_per_second": (answered / covered).tolist(),
        "p50_ms": each(lambda now: _percentile(samples.latency_ms[now & good], 50)),
        "p95_ms": each(lambda now: _percentile(samples.latency_ms[now & good], 95)),
        "errors": each(lambda now: float((now & ~good).sum())),
    }


def _variants(deployment: Deployment) -> list[str]:
    names = [variant.name for variant in deployment.settings.endpoint.variants]
    return [f"CPU, instances and invocations are those of variant {names[0]}."] if len(names) > 1 else []


def fleet(deployment: Deployment, minutes: Minutes) -> dict[str, Column]:
    """Return instances in service, CPU and invocations of an instance by minute, as CloudWatch knows them.

    The last minute is waited for: CloudWatch publishes a minute after its end.
    """
    until = time.monotonic() + MOST_PUBLISHING_SECONDS
    columns = _metrics(deployment, minutes)
    while columns["invocations"][-1] is None and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        columns = _metrics(deployment, minutes)
    together = zip(columns["invocations"], columns["each"], strict=True)
    return {
        # InvocationsPerInstance is Invocations over the instances in service, so their quotient tells these
        "in_service": [round(all_ / each, 2) if all_ and each else None for all_, each in together],
        "cpu_percent": columns["cpu"],
        "invocations_per_instance": columns["each"],
    }


def _ahead_seconds(deployment: Deployment) -> float:
    """Return how far CloudWatch's clock is before this machine's: a sandbox stays ahead after a compressed run."""
    return live.describe(deployment.runtime)["now"] - time.time() if deployment.runtime else 0.0


def _metrics(deployment: Deployment, minutes: Minutes) -> dict[str, Column]:
    endpoint = deployment.outputs("serving")["EndpointName"]
    variant = deployment.settings.endpoint.variants[0].name
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
    asked = {
        "invocations": ("AWS/SageMaker", "Invocations", "Sum"),
        "each": ("AWS/SageMaker", "InvocationsPerInstance", "Sum"),
        "cpu": ("/aws/sagemaker/Endpoints", "CPUUtilization", "Average"),
    }
    queries = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions},
                "Period": 60,
                "Stat": statistic,
            },
        }
        for name, (namespace, metric, statistic) in asked.items()
    ]
    first = datetime.fromtimestamp(minutes.first, UTC)
    answer = deployment.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=first, EndTime=first + timedelta(minutes=minutes.count)
    )
    columns: dict[str, Column] = {name: [None] * minutes.count for name in asked}
    for result in answer["MetricDataResults"]:
        for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
            minute = round((moment - first).total_seconds() / 60)
            if 0 <= minute < minutes.count:
                columns[result["Id"]][minute] = float(value)
    return columns


def activities(deployment: Deployment, minutes: Minutes) -> list[dict[str, Any]]:
    """Return the scaling activities since the test began, the oldest first."""
    answer = deployment.client("application-autoscaling").describe_scaling_activities(
        ServiceNamespace="sagemaker", MaxResults=50
    )
    endpoint = deployment.outputs("serving")["EndpointName"]
    return [
        {
            "minute": (each["StartTime"].timestamp() - minutes.first) / 60,
            "change": each["Description"],
            "status": each["StatusCode"],
            "cause": each["Cause"],
        }
        for each in reversed(answer["ScalingActivities"])
        if each["StartTime"].timestamp() >= minutes.first and f"endpoint/{endpoint}/" in each["ResourceId"]
    ]


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _percentile(values: NDArray[np.float64], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values.size else None
