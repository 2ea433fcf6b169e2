"""Reads what was deployed, through the API that any client uses, into the policies that the engine follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from autoscaling.policies import (
    Comparison,
    Metric,
    MissingData,
    ScheduledAction,
    StepAdjustment,
    StepScalingPolicy,
    TargetTrackingPolicy,
    VariantScaling,
)
from sandbox.runtime import Runtime

NAMESPACE = "sagemaker"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"

PREDEFINED_METRICS: dict[str, Metric] = {
    "SageMakerVariantInvocationsPerInstance": "invocations_per_instance",
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": "concurrent_requests_per_model",
}
METRICS: dict[str, Metric] = {
    "InvocationsPerInstance": "invocations_per_instance",
    "ConcurrentRequestsPerModel": "concurrent_requests_per_model",
    "CPUUtilization": "cpu_utilization",
}
_ADJUSTMENTS = {
    "ChangeInCapacity": "change_in_capacity",
    "PercentChangeInCapacity": "percent_change_in_capacity",
    "ExactCapacity": "exact_capacity",
}
COMPARISON_OPERATORS: dict[str, Comparison] = {
    "GreaterThanThreshold": "greater_than",
    "GreaterThanOrEqualToThreshold": "greater_than_or_equal",
    "LessThanThreshold": "less_than",
    "LessThanOrEqualToThreshold": "less_than_or_equal",
}
MISSING: dict[str, MissingData] = {"notBreaching": "not_breaching"}


class NotFollowedError(ValueError):
    """A policy that the sandbox's scaler does not follow; the message names it and says why."""


@dataclass(frozen=True)
class ScalableVariant:
    """A registered scalable target.

    Parameters
    ----------
    endpoint, variant : str
    scaling : VariantScaling
        Its bounds and policies.
    """

    endpoint: str
    variant: str
    scaling: VariantScaling

    @property
    def resource_id(self) -> str:
        """Name in Application Auto Scaling."""
        return f"endpoint/{self.endpoint}/variant/{self.variant}"


def read_targets(runtime: Runtime) -> tuple[list[ScalableVariant], dict[str, str]]:
    """Ask the API for every registered variant.

    Returns
    -------
    list of ScalableVariant, dict of str to str
        What can be followed, and why the rest cannot, by resource id.
    """
    scaling = runtime.client("application-autoscaling")
    found, refused = [], {}
    targets = scaling.describe_scalable_targets(ServiceNamespace=NAMESPACE, ScalableDimension=DIMENSION)
    alarms = all_alarms(runtime) if targets["ScalableTargets"] else []
    for target in targets["ScalableTargets"]:
        resource_id = target["ResourceId"]
        which = {"ServiceNamespace": NAMESPACE, "ScalableDimension": DIMENSION, "ResourceId": resource_id}
        policies = scaling.describe_scaling_policies(**which)["ScalingPolicies"]
        actions = scaling.describe_scheduled_actions(**which)["ScheduledActions"]
        try:
            found.append(read_target(target, policies, actions, alarms))
        except NotFollowedError as error:
            refused[resource_id] = str(error)
    return found, refused


def all_alarms(runtime: Runtime) -> list[dict[str, Any]]:
    """Return DescribeAlarms' MetricAlarms."""
    pages = runtime.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def read_target(
    target: Mapping[str, Any],
    policies: Iterable[Mapping[str, Any]],
    actions: Iterable[Mapping[str, Any]],
    alarms: Iterable[Mapping[str, Any]],
) -> ScalableVariant:
    """Translate the answers of Describe calls.

    Parameters
    ----------
    target
        An entry of DescribeScalableTargets.
    policies, actions
        DescribeScalingPolicies and DescribeScheduledActions of this target.
    alarms
        MetricAlarms of DescribeAlarms: a step policy's alarm is the one that has the policy as its action.

    Returns
    -------
    ScalableVariant
        What the engine follows.

    Raises
    ------
    NotFollowedError
        A metric or an option that the engine does not know, or a step policy without alarm.
    """
    _, endpoint, _, variant = target["ResourceId"].split("/")
    triggers = {arn: alarm for alarm in alarms for arn in alarm.get("AlarmActions", [])}
    found: list[TargetTrackingPolicy | StepScalingPolicy | ScheduledAction] = []
    for policy in policies:
        if policy["PolicyType"] == "TargetTrackingScaling":
            found.append(_tracking(policy))
        elif policy["PolicyARN"] in triggers:  # without an alarm nothing ever triggers it
            found.append(_step(policy, triggers[policy["PolicyARN"]]))
    found += [_scheduled(action) for action in actions]
    bounds = {"min_capacity": int(target["MinCapacity"]), "max_capacity": int(target["MaxCapacity"])}
    try:
        return ScalableVariant(endpoint, variant, VariantScaling(**bounds, policies=tuple(found)))
    except ValidationError as error:
        raise NotFollowedError(f"{target['ResourceId']}: {error}") from error


def _tracking(policy: Mapping[str, Any]) -> TargetTrackingPolicy:
    options = policy["TargetTrackingScalingPolicyConfiguration"]
    return TargetTrackingPolicy(
        name=policy["PolicyName"],
        metric=_tracked_metric(policy["PolicyName"], options),
        target=float(options["TargetValue"]),
        scale_out_cooldown_seconds=options.get("ScaleOutCooldown", 300),
        scale_in_cooldown_seconds=options.get("ScaleInCooldown", 300),
        disable_scale_in=options.get("DisableScaleIn", False),
    )


def _tracked_metric(name: str, options: Mapping[str, Any]) -> Metric:
    if predefined := options.get("PredefinedMetricSpecification"):
        metric = PREDEFINED_METRICS.get(predefined["PredefinedMetricType"])
        came = predefined["PredefinedMetricType"]
    else:
        came = options["CustomizedMetricSpecification"].get("MetricName", "a metric math expression")
        metric = METRICS.get(came)
    if metric is None:
        known = ", ".join([*PREDEFINED_METRICS, *METRICS])
        raise NotFollowedError(f"policy {name} tracks {came}; the sandbox's scaler follows {known}")
    return metric


def _step(policy: Mapping[str, Any], alarm: Mapping[str, Any]) -> StepScalingPolicy:
    options, name = policy["StepScalingPolicyConfiguration"], policy["PolicyName"]
    if alarm.get("MetricName") not in METRICS:
        raise NotFollowedError(
            f"alarm {alarm['AlarmName']} of policy {name} watches {alarm.get('MetricName', 'an expression')}; "
            f"the sandbox's scaler follows {', '.join(METRICS)}"
        )
    values = {
        "name": name,
        "metric": METRICS[alarm["MetricName"]],
        "statistic": alarm["Statistic"].lower(),
        "period_seconds": int(alarm["Period"]),
        "threshold": float(alarm["Threshold"]),
        "comparison": COMPARISON_OPERATORS[alarm["ComparisonOperator"]],
        "evaluation_periods": int(alarm["EvaluationPeriods"]),
        "datapoints_to_alarm": int(alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]),
        "missing_data": MISSING.get(alarm.get("TreatMissingData", ""), alarm.get("TreatMissingData") or "missing"),
        "adjustment_type": _ADJUSTMENTS[options["AdjustmentType"]],
        "steps": tuple(_adjustment(step) for step in options["StepAdjustments"]),
        "metric_aggregation_type": options.get("MetricAggregationType", "Average").lower(),
        "min_adjustment_magnitude": options.get("MinAdjustmentMagnitude"),
        "cooldown_seconds": int(options.get("Cooldown", 300)),
    }
    return StepScalingPolicy(**values)


def _adjustment(step: Mapping[str, Any]) -> StepAdjustment:
    lower, upper = step.get("MetricIntervalLowerBound"), step.get("MetricIntervalUpperBound")
    return StepAdjustment(
        lower_bound=None if lower is None else float(lower),
        upper_bound=None if upper is None else float(upper),
        adjustment=int(step["ScalingAdjustment"]),
    )


def _scheduled(action: Mapping[str, Any]) -> ScheduledAction:
    bounds = action.get("ScalableTargetAction") or {}
    return ScheduledAction(
        name=action["ScheduledActionName"],
        schedule=action["Schedule"],
        timezone=action.get("Timezone") or "UTC",
        start_time=action.get("StartTime"),
        end_time=action.get("EndTime"),
        min_capacity=bounds.get("MinCapacity"),
        max_capacity=bounds.get("MaxCapacity"),
    )
