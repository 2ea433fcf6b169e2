from typing import Any

import pytest

from autoscaling.policies import ScheduledAction, StepAdjustment, StepScalingPolicy, TargetTrackingPolicy
from sandbox.scaler.deployed import NotFollowedError, read_target

TARGET = {"ResourceId": "endpoint/kdd/variant/main", "MinCapacity": 1, "MaxCapacity": 5}
STEP = {
    "PolicyName": "steps",
    "PolicyARN": "arn:steps",
    "PolicyType": "StepScaling",
    "StepScalingPolicyConfiguration": {
        "AdjustmentType": "PercentChangeInCapacity",
        "MinAdjustmentMagnitude": 2,
        "MetricAggregationType": "Maximum",
        "StepAdjustments": [
            {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 50},
            {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 100},
        ],
    },
}
ALARM = {
    "AlarmName": "busy",
    "AlarmActions": ["arn:steps"],
    "MetricName": "CPUUtilization",
    "Statistic": "Average",
    "Period": 60,
    "Threshold": 70,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
    "TreatMissingData": "notBreaching",
}


def tracking(**options: Any) -> dict[str, Any]:
    configuration = {"TargetValue": 30000, **options}
    return {
        "PolicyName": "tracking",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": configuration,
    }


def test_target_tracking_is_read_with_awss_defaults() -> None:
    predefined = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    read = read_target(TARGET, [tracking(PredefinedMetricSpecification=predefined)], [], [])
    assert (read.endpoint, read.variant, read.resource_id) == ("kdd", "main", TARGET["ResourceId"])
    assert read.scaling.policies == (TargetTrackingPolicy(name="tracking", target=30_000.0),)


def test_customized_metric_is_read_by_its_name() -> None:
    read = read_target(TARGET, [tracking(CustomizedMetricSpecification={"MetricName": "CPUUtilization"})], [], [])
    assert read.scaling.policies == (TargetTrackingPolicy(name="tracking", metric="cpu_utilization", target=30_000.0),)


def test_step_policy_is_read_together_with_the_alarm_that_triggers_it() -> None:
    read = read_target(TARGET, [STEP], [], [ALARM])
    assert read.scaling.policies == (
        StepScalingPolicy(
            name="steps",
            metric="cpu_utilization",
            statistic="average",
            threshold=70.0,
            evaluation_periods=3,
            datapoints_to_alarm=2,
            missing_data="not_breaching",
            adjustment_type="percent_change_in_capacity",
            steps=(
                StepAdjustment(lower_bound=0.0, upper_bound=10.0, adjustment=50),
                StepAdjustment(lower_bound=10.0, adjustment=100),
            ),
            metric_aggregation_type="maximum",
            min_adjustment_magnitude=2,
        ),
    )


def test_step_policy_without_alarm_does_nothing() -> None:
    assert read_target(TARGET, [STEP], [], []).scaling.policies == ()


def test_scheduled_action_is_read() -> None:
    action = {
        "ScheduledActionName": "morning",
        "Schedule": "cron(0 8 * * ? *)",
        "Timezone": "Europe/Berlin",
        "ScalableTargetAction": {"MinCapacity": 3},
    }
    read = read_target(TARGET, [], [action], [])
    wanted = ScheduledAction(name="morning", schedule="cron(0 8 * * ? *)", timezone="Europe/Berlin", min_capacity=3)
    assert read.scaling.policies == (wanted,)


def test_metric_that_the_engine_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(NotFollowedError, match="tracks GPUUtilization"):
        read_target(TARGET, [tracking(CustomizedMetricSpecification={"MetricName": "GPUUtilization"})], [], [])
    with pytest.raises(NotFollowedError, match="alarm busy of policy steps watches DiskUtilization"):
        read_target(TARGET, [STEP], [], [{**ALARM, "MetricName": "DiskUtilization"}])
