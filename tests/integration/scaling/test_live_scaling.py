from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loadtest.closed_loop_client import Burst, drive
from sandbox import live
from sandbox.scaler.conditions import Conditions
from sandbox.scaler.recording import Recording
from tests.integration.scaling.conftest import ENDPOINT, RESOURCE, VARIANT, Scalable

pytestmark = pytest.mark.verify  # it watches a compressed clock, which wants a machine of its own

BODY = b"1.0,2.0,3.0"
SCALE, CAPACITY_RPS = 60.0, 100.0  # a minute takes a second
Run = tuple[Burst, Recording, float, float]


@pytest.fixture(scope="module")
def run(scalable: Scalable) -> Run:
    """Sixteen compressed minutes: 60 users who think 0.2 s ask for 300 a second, an instance serves 100."""
    scalable.track(target=6_000 * 0.5)  # before time runs fast: a minute could end between target and policy
    live.set_conditions(
        scalable.runtime,
        Conditions(time_scale=SCALE, instance_max_rps=CAPACITY_RPS, provisioning_seconds=170.0),
    )
    recording = live.recording_of(scalable.runtime, RESOURCE["ResourceId"])
    begin = live.describe(scalable.runtime)["now"]
    burst = drive(
        scalable.url, [BODY], content_type="text/csv", connections=60, seconds=18.0, ramp_seconds=1.0, think_seconds=0.2
    )
    return burst, Recording.load(recording), begin, live.describe(scalable.runtime)["now"]


def test_instances_come_throughput_rises_and_latency_falls(scalable: Scalable, run: Run) -> None:
    burst, recording, _, _ = run
    assert burst.failed == 0
    assert 2 <= scalable.instances() <= 4  # how the seconds fall decides how many each step adds
    early = (burst.finished > 2) & (burst.finished < 6)
    late = burst.finished > 14
    assert 85 <= early.sum() / 4 <= 110  # one instance's limit
    assert late.sum() / 4 > 1.5 * early.sum() / 4
    assert burst.latencies_ms[late].mean() < 0.5 * burst.latencies_ms[early].mean()
    assert {"Scaled", "TargetServicePutResourceAsUnscalable"} <= {seen.outcome for seen in recording.ticks}


def test_live_decisions_are_the_simulators_on_the_recorded_metrics(run: Run) -> None:
    _, recording, _, _ = run
    assert len(recording.ticks) > 12
    assert recording.disagreements() == []


def test_recorded_rates_are_those_of_real_time(run: Run) -> None:
    burst, recording, _, _ = run
    per_minute = [seen["Invocations"] for seen in recording.observed[2:16]]
    # a request counts 60 times in a minute of one second, so that a minute's sum is the rate a real minute has
    assert sum(per_minute) == pytest.approx(60 * burst.codes.size * len(per_minute) / burst.seconds, rel=0.25)


def test_describe_scaling_activities_tells_cause_and_reasons(scalable: Scalable, run: Run) -> None:
    answer = scalable.scaling.describe_scaling_activities(
        ServiceNamespace="sagemaker", ResourceId=RESOURCE["ResourceId"]
    )
    first = answer["ScalingActivities"][-1]
    assert first["Description"].startswith("Setting desired instance count to")
    assert first["Cause"].endswith("in state ALARM triggered policy tracking")
    assert first["StatusCode"] == "Successful"
    taken = first["EndTime"] - first["StartTime"]
    assert timedelta(seconds=170) < taken <= timedelta(minutes=4)
    everything = scalable.scaling.describe_scaling_activities(
        ServiceNamespace="sagemaker", IncludeNotScaledActivities=True
    )
    codes = {reason["Code"] for each in everything["ScalingActivities"] for reason in each.get("NotScaledReasons", [])}
    assert "TargetServicePutResourceAsUnscalable" in codes


def test_cloudwatch_answers_with_sagemakers_names_dimensions_and_units(scalable: Scalable, run: Run) -> None:
    _, _, begin, end = run
    cloudwatch = scalable.runtime.client("cloudwatch")
    dimensions = [{"Name": "EndpointName", "Value": ENDPOINT}, {"Name": "VariantName", "Value": VARIANT}]
    window = {"StartTime": datetime.fromtimestamp(begin, UTC), "EndTime": datetime.fromtimestamp(end, UTC)}

    def statistics(namespace: str, metric: str, statistic: str) -> list[dict[str, Any]]:
        answer = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=dimensions,
            Period=60,
            Statistics=[statistic],
            **window,
        )
        return sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])

    invocations = statistics("AWS/SageMaker", "Invocations", "Sum")
    assert len(invocations) >= 15
    assert max(point["Sum"] for point in invocations) > 6_000
    per_instance = statistics("AWS/SageMaker", "InvocationsPerInstance", "Sum")
    assert max(point["Sum"] for point in per_instance) == pytest.approx(6_000, rel=0.2)
    latency = statistics("AWS/SageMaker", "ModelLatency", "Average")
    assert latency[0]["Unit"] == "Microseconds"
    assert max(point["Average"] for point in latency) > 100_000  # waiting for one instance
    cpu = statistics("/aws/sagemaker/Endpoints", "CPUUtilization", "Average")
    assert max(point["Average"] for point in cpu) == pytest.approx(100.0, rel=0.2)
    metric = {"Namespace": "AWS/SageMaker", "MetricName": "ModelLatency", "Dimensions": dimensions}
    query = {"Id": "p95", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "p95"}}
    (percentiles,) = cloudwatch.get_metric_data(MetricDataQueries=[query], **window)["MetricDataResults"]
    # a percentile is its bucket's lower end, up to 1.6 % below; in a full minute all latencies are nearly equal
    assert max(percentiles["Values"]) > 0.984 * max(point["Average"] for point in latency)


def test_target_trackings_alarms_show_their_state(scalable: Scalable, run: Run) -> None:
    alarms = scalable.runtime.client("cloudwatch").describe_alarms(AlarmNamePrefix="TargetTracking-")["MetricAlarms"]
    high, low = sorted(alarms, key=lambda alarm: alarm["AlarmName"])
    assert (high["Threshold"], high["EvaluationPeriods"]) == (3000.0, 3)
    assert (low["Threshold"], low["EvaluationPeriods"]) == (2700.0, 15)
    assert high["MetricName"] == "InvocationsPerInstance"
    assert low["StateValue"] in {"OK", "INSUFFICIENT_DATA"}


def test_conditions_that_make_no_sense_are_refused(scalable: Scalable) -> None:
    with pytest.raises(live.ScalingError, match="time_scale"):
        live.set_conditions(scalable.runtime, Conditions.model_construct(time_scale=0.5))


def test_variant_that_is_not_registered_is_not_followed(scalable: Scalable) -> None:
    with pytest.raises(live.ScalingError, match="no such scalable target"):
        live.recording_of(scalable.runtime, "endpoint/none/variant/main", seconds=0.1)
