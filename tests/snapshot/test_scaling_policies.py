"""Every kind of policy becomes the CloudFormation that AWS understands, and comes back the same."""

from datetime import UTC, datetime
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sagemaker as sagemaker

from autoscaling.policies import (
    Policy,
    ScheduledAction,
    StepAdjustment,
    StepScalingPolicy,
    TargetTrackingPolicy,
    VariantScaling,
)
from autoscaling.template import PREDEFINED_METRICS, deployed_variants
from stacks.constructs import scaling_policies
from stacks.constructs.scaling_policies import ScalingPolicies
from tests.snapshot.aws_metrics import METRICS

NAME = "kdd99-dev-1a2b3c4d"

TRACKING = TargetTrackingPolicy(target=30_000, scale_out_cooldown_seconds=120, disable_scale_in=True)
HIGH_RESOLUTION = TargetTrackingPolicy(metric="concurrent_requests_per_model", target=5, name="concurrency")
CPU = TargetTrackingPolicy(metric="cpu_utilization", target=240)
STEP_OUT = StepScalingPolicy(
    name="out",
    threshold=50_000,
    evaluation_periods=3,
    datapoints_to_alarm=2,
    missing_data="not_breaching",
    adjustment_type="percent_change_in_capacity",
    min_adjustment_magnitude=2,
    metric_aggregation_type="maximum",
    cooldown_seconds=0,
    steps=(
        StepAdjustment(lower_bound=0, upper_bound=10_000, adjustment=10),
        StepAdjustment(lower_bound=10_000, adjustment=30),
    ),
)
STEP_IN = StepScalingPolicy(
    metric="cpu_utilization",
    threshold=20,
    comparison="less_than",
    steps=(StepAdjustment(upper_bound=0, adjustment=-1),),
)
EXACT = StepScalingPolicy(
    metric="concurrent_requests_per_model",
    period_seconds=10,
    threshold=12.5,
    comparison="greater_than",
    adjustment_type="exact_capacity",
    steps=(StepAdjustment(lower_bound=0, adjustment=7),),
)
MORNING = ScheduledAction(
    schedule="cron(0 8 ? * MON-FRI *)",
    timezone="Europe/Berlin",
    start_time=datetime(2026, 3, 1, tzinfo=UTC),
    end_time=datetime(2026, 9, 1, 12, tzinfo=UTC),
    min_capacity=4,
)
ONCE = ScheduledAction(name="launch", schedule="at(2026-05-01T10:00:00)", min_capacity=2, max_capacity=8)
ALL: tuple[Policy, ...] = (TRACKING, HIGH_RESOLUTION, CPU, STEP_OUT, STEP_IN, EXACT, MORNING, ONCE)


def synthesize(**variants: VariantScaling) -> dict[str, Any]:
    stack = cdk.Stack()
    endpoint = sagemaker.CfnEndpoint(stack, "Endpoint", endpoint_name=NAME, endpoint_config_name="config")
    for variant, scaling in variants.items():
        ScalingPolicies(
            stack,
            f"{variant}Scaling",
            endpoint=endpoint,
            endpoint_name=NAME,
            variant_name=variant,
            scaling=scaling,
        )
    return dict(cdk.assertions.Template.from_stack(stack).to_json())


def of_type(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return synthesize(main=VariantScaling(min_capacity=1, max_capacity=10, policies=ALL))


def test_policies_come_back_from_the_template_as_they_went_in(template: dict[str, Any]) -> None:
    (variant,) = deployed_variants(template)
    assert (variant.endpoint, variant.variant) == (NAME, "main")
    assert variant.scaling.policies == tuple(filled(policy) for policy in ALL)
    assert (variant.scaling.min_capacity, variant.scaling.max_capacity) == (1, 10)


def filled(policy: Policy) -> Policy:
    """Fill in what CloudWatch's defaults mean: a template says it in so many words."""
    if not isinstance(policy, StepScalingPolicy):
        return policy
    return policy.model_copy(
        update={"statistic": policy.effective_statistic, "datapoints_to_alarm": policy.effective_datapoints_to_alarm}
    )


def test_step_policy_has_its_own_alarm_with_aws_defaults_made_explicit(template: dict[str, Any]) -> None:
    steps = [
        each
        for each in of_type(template, "AWS::ApplicationAutoScaling::ScalingPolicy")
        if each["PolicyType"] == "StepScaling"
    ]
    assert [each["StepScalingPolicyConfiguration"]["Cooldown"] for each in steps] == [0, 300, 300]
    out = steps[0]["StepScalingPolicyConfiguration"]
    assert out["StepAdjustments"] == [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10000, "ScalingAdjustment": 10},
        {"MetricIntervalLowerBound": 10000, "ScalingAdjustment": 30},
    ]
    assert (out["AdjustmentType"], out["MetricAggregationType"]) == ("PercentChangeInCapacity", "Maximum")
    assert out["MinAdjustmentMagnitude"] == 2
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    assert len(alarms) == len(steps)
    assert {len(alarm["AlarmActions"]) for alarm in alarms} == {1}
    first = alarms[0]
    assert (first["EvaluationPeriods"], first["DatapointsToAlarm"], first["TreatMissingData"]) == (3, 2, "notBreaching")


def test_scheduled_actions_belong_to_the_scalable_target(template: dict[str, Any]) -> None:
    (target,) = of_type(template, "AWS::ApplicationAutoScaling::ScalableTarget")
    morning, launch = target["ScheduledActions"]
    assert morning["Timezone"] == "Europe/Berlin"
    assert morning["StartTime"].startswith("2026-03-01T00:00:00")
    assert morning["ScalableTargetAction"] == {"MinCapacity": 4}
    assert launch["ScheduledActionName"] == "launch"


def test_every_metric_exists_for_a_real_time_variant_with_its_dimensions_unit_and_statistic(
    template: dict[str, Any],
) -> None:
    named = of_type(template, "AWS::CloudWatch::Alarm")
    for policy in of_type(template, "AWS::ApplicationAutoScaling::ScalingPolicy"):
        tracking = policy.get("TargetTrackingScalingPolicyConfiguration", {})
        if "CustomizedMetricSpecification" in tracking:
            named.append(tracking["CustomizedMetricSpecification"])
        elif tracking:
            assert tracking["PredefinedMetricSpecification"]["PredefinedMetricType"] in PREDEFINED_METRICS
    assert len(named) == 4
    for metric in named:
        published = METRICS[metric["Namespace"]][metric["MetricName"]]
        dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        assert dimensions == {"EndpointName": NAME, "VariantName": "main"}
        assert dimensions.keys() in published.dimensions
        assert metric["Statistic"] in published.statistics
        assert metric.get("Unit", published.unit) == published.unit


def test_translation_tables_are_each_others_inverse() -> None:
    assert {value: key for key, value in scaling_policies.PREDEFINED_METRICS.items()} == PREDEFINED_METRICS


def test_two_autoscaled_variants_share_an_endpoint() -> None:
    both = synthesize(
        main=VariantScaling(max_capacity=4, policies=(TRACKING, STEP_IN)),
        challenger=VariantScaling(min_capacity=2, max_capacity=5, policies=(TRACKING, STEP_IN, MORNING)),
    )
    found = {variant.variant: variant.scaling for variant in deployed_variants(both)}
    assert found["main"].policies == (TRACKING, filled(STEP_IN))
    assert found["challenger"].policies == (TRACKING, filled(STEP_IN), MORNING)
    ids = [target["ResourceId"] for target in of_type(both, "AWS::ApplicationAutoScaling::ScalableTarget")]
    assert ids == [f"endpoint/{NAME}/variant/{variant}" for variant in ("main", "challenger")]


def test_deployed_environments_can_be_simulated_from_their_templates(templates: dict[str, dict[str, Any]]) -> None:
    (variant,) = deployed_variants(templates["kdd99-dev-serving"])
    assert variant.instance_type == "ml.m4.xlarge"
    assert variant.scaling == VariantScaling(
        min_capacity=1, max_capacity=10, policies=(TargetTrackingPolicy(target=30_000),)
    )


def test_policies_that_change_places_keep_their_logical_ids() -> None:
    ids = [
        {
            each["Properties"]["PolicyName"]: logical_id
            for logical_id, each in synthesize(main=VariantScaling(max_capacity=4, policies=policies))[
                "Resources"
            ].items()
            if each["Type"] == "AWS::ApplicationAutoScaling::ScalingPolicy"
        }
        for policies in ((TRACKING, STEP_OUT), (STEP_OUT, TRACKING))
    ]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 2
