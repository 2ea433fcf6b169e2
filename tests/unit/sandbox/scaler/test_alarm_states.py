"""Alarms on endpoints change their state with the metrics, through CloudWatch's API in this process."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.cloudwatch.models import Dimension, Statistics

from sandbox.scaler import metrics
from sandbox.scaler.alarm_states import AlarmStates
from sandbox.scaler.counters import COUNTERS, Counts, Latency
from sandbox.scaler.metrics import EndpointMetrics

NOW = 1_700_000_040.0  # a whole minute
ENDPOINT, VARIANT, CONFIG = "kdd", "main", "config-2"


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(EndpointMetrics, "_data", {})
    monkeypatch.setattr(EndpointMetrics, "region", "us-east-1")
    monkeypatch.setattr(Statistics, "get_statistics_for_type", metrics._statistic)
    monkeypatch.setattr(Dimension, "__lt__", metrics._precedes)
    with mock_aws():
        yield boto3.client("cloudwatch", "us-east-1", aws_access_key_id="-", aws_secret_access_key="-")


class Runtime:
    def __init__(self, client: Any) -> None:
        self.client = lambda _: client


def minute(index: int, requests: int, errors: int, *, latency_us: int = 1_000, config: str | None = CONFIG) -> None:
    values = {**dict.fromkeys(COUNTERS, 0.0), "Invocations": requests, "Invocation5XXErrors": errors}
    latencies = dict.fromkeys(
        ("ModelLatency", "OverheadLatency"), Latency(latency_us * requests, {latency_us: requests})
    )
    EndpointMetrics.publish(ENDPOINT, VARIANT, NOW + 60 * index, Counts(values, latencies), {}, config=config)


def put_alarm(cloudwatch: Any, metric: str, threshold: float, **statistic: str) -> None:
    dimensions = {
        "EndpointConfigName": CONFIG,
        "EndpointName": ENDPOINT,
        "VariantName": VARIANT,
    }  # as the CDK sorts them
    cloudwatch.put_metric_alarm(
        AlarmName=metric,
        Namespace="AWS/SageMaker",
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        Period=60,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=threshold,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        **statistic,
    )


def state(cloudwatch: Any, minutes: int) -> str:
    AlarmStates(Runtime(cloudwatch)).evaluate(NOW + 60 * minutes)  # type: ignore[arg-type]
    (alarm,) = cloudwatch.describe_alarms()["MetricAlarms"]
    return str(alarm["StateValue"])


def test_share_of_errors_trips_the_alarm_in_the_second_minute_and_is_over_later(cloudwatch: Any) -> None:
    put_alarm(cloudwatch, "Invocation5XXErrors", 0.05, Statistic="Average")
    assert state(cloudwatch, 0) == "OK"  # no data, and that is no breach
    minute(0, requests=1_000, errors=60)
    assert state(cloudwatch, 1) == "OK"
    minute(1, requests=1_000, errors=60)
    assert state(cloudwatch, 2) == "ALARM"
    for index in (2, 3, 4):
        minute(index, requests=1_000, errors=40)
    assert state(cloudwatch, 5) == "OK"


def test_errors_of_the_old_fleet_are_not_the_new_ones(cloudwatch: Any) -> None:
    put_alarm(cloudwatch, "Invocation5XXErrors", 0.05, Statistic="Average")
    for index in range(3):
        minute(index, requests=100, errors=100, config=None)
        minute(index, requests=100, errors=0)
    assert state(cloudwatch, 3) == "OK"


def test_percentile_of_the_latency_is_compared_in_microseconds(cloudwatch: Any) -> None:
    put_alarm(cloudwatch, "ModelLatency", 1_000_000, ExtendedStatistic="p99")
    for index in range(3):
        minute(index, requests=100, errors=0, latency_us=999_000)
    assert state(cloudwatch, 3) == "OK"
    for index in range(3, 6):
        minute(index, requests=100, errors=0, latency_us=1_100_000)
    assert state(cloudwatch, 6) == "ALARM"


def test_alarm_of_a_scaling_policy_is_left_alone(cloudwatch: Any) -> None:
    put_alarm(cloudwatch, "Invocation5XXErrors", 0.05, Statistic="Average")
    (alarm,) = cloudwatch.describe_alarms()["MetricAlarms"]
    before = alarm["StateValue"]
    kept = {"AlarmName", "Namespace", "MetricName", "Dimensions", "Period", "EvaluationPeriods", "DatapointsToAlarm"}
    kept |= {"Threshold", "ComparisonOperator", "TreatMissingData", "Statistic"}
    action = "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:x"
    cloudwatch.put_metric_alarm(**{key: alarm[key] for key in kept}, AlarmActions=[action])
    for index in range(3):
        minute(index, requests=10, errors=10)
    assert state(cloudwatch, 3) == before
