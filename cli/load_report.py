"""A load test's samples as the report draws them, with what CloudWatch says of the fleet."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cli.deployment import Deployment
from loadtest.report import Run
from loadtest.results import Samples

Column = list[float | None]


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
    begin = float((samples.finished - samples.latency_ms / 1000).min())
    minutes = max(math.ceil((samples.finished.max() - begin) / 60), 1)
    minute_of = np.minimum(((samples.finished - begin) // 60).astype(int), minutes - 1)
    good = ~samples.failed

    def each(value: Callable[[NDArray[np.bool_]], float | None]) -> Column:
        return [value(minute_of == minute) for minute in range(minutes)]

    measured: dict[str, Column] = {
        "users": each(lambda now: _mean(samples.users[now])),
        "requests_per_second": each(lambda now: float((now & good).sum()) / 60),
        "p50_ms": each(lambda now: _percentile(samples.latency_ms[now & good], 50)),
        "p95_ms": each(lambda now: _percentile(samples.latency_ms[now & good], 95)),
        "errors": each(lambda now: float((now & ~good).sum())),
    }
    measured |= fleet(deployment, begin, minutes)
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
        activities=activities(deployment, begin),
        statuses={str(code): int(count) for code, count in zip(codes, counts, strict=True)},
        notes=[*failures, "The last minute may be cut short; its rates are then too low."],
    )


def fleet(deployment: Deployment, begin: float, minutes: int) -> dict[str, Column]:
    """Return instances in service, CPU and invocations of an instance by minute, as CloudWatch knows them."""
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
    first = datetime.fromtimestamp(begin // 60 * 60, UTC)
    answer = deployment.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=first, EndTime=first + timedelta(minutes=minutes)
    )
    columns: dict[str, Column] = {name: [None] * minutes for name in asked}
    for result in answer["MetricDataResults"]:
        for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
            minute = round((moment - first).total_seconds() / 60)
            if 0 <= minute < minutes:
                columns[result["Id"]][minute] = float(value)
    together = zip(columns["invocations"], columns["each"], strict=True)
    return {
        # InvocationsPerInstance is Invocations over the instances in service, so their quotient tells these
        "in_service": [round(all_ / each, 2) if all_ and each else None for all_, each in together],
        "cpu_percent": columns["cpu"],
        "invocations_per_instance": columns["each"],
    }


def activities(deployment: Deployment, begin: float) -> list[dict[str, Any]]:
    """Return the scaling activities since the test began, the oldest first."""
    answer = deployment.client("application-autoscaling").describe_scaling_activities(
        ServiceNamespace="sagemaker", MaxResults=50
    )
    endpoint = deployment.outputs("serving")["EndpointName"]
    return [
        {
            "minute": (each["StartTime"].timestamp() - begin) / 60,
            "change": each["Description"],
            "status": each["StatusCode"],
            "cause": each["Cause"],
        }
        for each in reversed(answer["ScalingActivities"])
        if each["StartTime"].timestamp() >= begin and f"endpoint/{endpoint}/" in each["ResourceId"]
    ]


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _percentile(values: NDArray[np.float64], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values.size else None
