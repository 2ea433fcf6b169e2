"""Read scalable targets and policies back from a CloudFormation template: what will really be deployed.

The inverse of stacks/constructs/scaling_policies.py. It reads what the template says literally or by Ref to a resource
of its own; anything else is refused rather than guessed.
"""

import re
from collections.abc import Mapping
from itertools import chain
from typing import Any, NamedTuple

from pydantic import ValidationError

from autoscaling.policies import (
    Metric,
    Policy,
    ScheduledAction,
    StepScalingPolicy,
    TargetTrackingPolicy,
    VariantScaling,
    policy_name,
)
from autoscaling.problems import problems_of

PREDEFINED_METRICS: dict[str, Metric] = {
    "SageMakerVariantInvocationsPerInstance": "invocations_per_instance",
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": "concurrent_requests_per_model",
}
METRICS: dict[tuple[str, str], Metric] = {
    ("AWS/SageMaker", "InvocationsPerInstance"): "invocations_per_instance",
    ("AWS/SageMaker", "ConcurrentRequestsPerModel"): "concurrent_requests_per_model",
    ("/aws/sagemaker/Endpoints", "CPUUtilization"): "cpu_utilization",
}
_COMPARISONS = {
    "GreaterThanOrEqualToThreshold": "greater_than_or_equal",
    "GreaterThanThreshold": "greater_than",
    "LessThanOrEqualToThreshold": "less_than_or_equal",
    "LessThanThreshold": "less_than",
}
_MISSING = {"missing": "missing", "ignore": "ignore", "breaching": "breaching", "notBreaching": "not_breaching"}


class DeployedVariant(NamedTuple):
    """A variant as a template deploys it."""

    endpoint: str
    variant: str
    instance_type: str | None
    """None if the template has no config for it."""
    scaling: VariantScaling


class TemplateError(ValueError):
    """The template cannot be read; the message names the resource and the reason."""


def deployed_variants(template: Mapping[str, Any]) -> list[DeployedVariant]:
    """Find the scaled variants of a template.

    Parameters
    ----------
    template
        A CloudFormation template, parsed.

    Returns
    -------
    list of DeployedVariant
        In order of the template.

    Raises
    ------
    TemplateError
        If there is none, or a resource says something that is not understood.
    """
    resources = template.get("Resources") if isinstance(template, Mapping) else None
    if not isinstance(resources, Mapping) or not all(isinstance(each, Mapping) for each in resources.values()):
        raise TemplateError("no CloudFormation template: it has no Resources")
    found = []
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource.get("Type") != "AWS::ApplicationAutoScaling::ScalableTarget":
            continue
        if properties.get("ScalableDimension") == "sagemaker:variant:DesiredInstanceCount":
            found.append(_variant(logical_id, properties, resources))
    if not found:
        raise TemplateError(
            "no scalable target of a SageMaker variant in this template; give that of the serving stack"
        )
    return found


def _variant(logical_id: str, properties: Mapping[str, Any], resources: Mapping[str, Any]) -> DeployedVariant:
    """Read a scalable target with its policies."""
    try:
        endpoint, variant = _endpoint_and_variant(logical_id, properties["ResourceId"], resources)
        policies = [*_scaling_policies(logical_id, resources), *_scheduled(properties)]
        scaling = VariantScaling(
            min_capacity=properties["MinCapacity"], max_capacity=properties["MaxCapacity"], policies=tuple(policies)
        )
    except ValidationError as error:
        raise TemplateError(f"{logical_id}: {problems_of(error)}") from None
    except KeyError as error:
        raise TemplateError(f"{logical_id} or one of its policies has no property {error}") from None
    return DeployedVariant(endpoint, variant, _instance_type(variant, resources), scaling)


def _text(value: Any, resources: Mapping[str, Any]) -> str:
    """Text of a value: a string, or Fn::Join of strings and Refs to resources of the template."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(_text(part, resources) for part in parts)
    if isinstance(value, Mapping):
        target = value.get("Ref") or (value.get("Fn::GetAtt") or [None])[0]
        if target in resources:
            properties = resources[target].get("Properties", {})
            return str(properties.get("EndpointName", target))
    return "?"


def _endpoint_and_variant(logical_id: str, resource_id: Any, resources: Mapping[str, Any]) -> tuple[str, str]:
    match = re.fullmatch(r"endpoint/(.+)/variant/([^/]+)", _text(resource_id, resources))
    if match is None:
        raise TemplateError(f"{logical_id}: ResourceId is not endpoint/<endpoint>/variant/<variant>")
    return match[1], match[2]


def _instance_type(variant: str, resources: Mapping[str, Any]) -> str | None:
    for resource in resources.values():
        if resource.get("Type") == "AWS::SageMaker::EndpointConfig":
            kinds = (resource["Properties"].get(f"{kind}ProductionVariants", []) for kind in ("", "Shadow"))
            for each in chain(*kinds):
                if each.get("VariantName") == variant and isinstance(each.get("InstanceType"), str):
                    return str(each["InstanceType"])
    return None


def _scaling_policies(target_id: str, resources: Mapping[str, Any]) -> list[Policy]:
    policies: list[Policy] = []
    for logical_id, resource in resources.items():
        if resource.get("Type") != "AWS::ApplicationAutoScaling::ScalingPolicy":
            continue
        properties = resource["Properties"]
        if properties.get("ScalingTargetId") != {"Ref": target_id}:
            continue
        if properties["PolicyType"] == "TargetTrackingScaling":
            policies.append(_tracking(logical_id, properties))
        elif properties["PolicyType"] == "StepScaling":
            policies.append(_step(logical_id, properties, resources))
        else:
            raise TemplateError(f"{logical_id}: PolicyType {properties['PolicyType']}; known: target tracking and step")
    return policies


def _tracking(logical_id: str, properties: Mapping[str, Any]) -> Policy:
    configuration = properties["TargetTrackingScalingPolicyConfiguration"]
    predefined = configuration.get("PredefinedMetricSpecification")
    if predefined is not None:
        metric = PREDEFINED_METRICS.get(predefined["PredefinedMetricType"])
    else:
        custom = configuration["CustomizedMetricSpecification"]
        metric = METRICS.get((custom["Namespace"], custom["MetricName"]))
    if metric is None:
        raise TemplateError(f"{logical_id}: a metric that no SageMaker variant emits")
    policy = TargetTrackingPolicy(
        metric=metric,
        target=configuration["TargetValue"],
        scale_out_cooldown_seconds=configuration.get("ScaleOutCooldown", 300),
        scale_in_cooldown_seconds=configuration.get("ScaleInCooldown", 300),
        disable_scale_in=configuration.get("DisableScaleIn", False),
    )
    return _named(policy, properties.get("PolicyName"))


def _named(policy: Policy, name: str | None) -> Policy:
    """Give a policy the template's name, unless that is what it is called anyway."""
    return policy if name is None or name == policy_name(policy) else policy.model_copy(update={"name": name})


def _step(logical_id: str, properties: Mapping[str, Any], resources: Mapping[str, Any]) -> Policy:
    configuration = properties["StepScalingPolicyConfiguration"]
    alarm = _alarm_of(logical_id, resources)
    metric = METRICS.get((alarm["Namespace"], alarm["MetricName"]))
    if metric is None:
        raise TemplateError(f"{logical_id}: its alarm follows a metric that no SageMaker variant emits")
    steps = [
        {
            "lower_bound": step.get("MetricIntervalLowerBound"),
            "upper_bound": step.get("MetricIntervalUpperBound"),
            "adjustment": step["ScalingAdjustment"],
        }
        for step in configuration["StepAdjustments"]
    ]
    policy = StepScalingPolicy.model_validate(
        {
            "metric": metric,
            "statistic": alarm["Statistic"].lower(),
            "period_seconds": alarm["Period"],
            "threshold": alarm["Threshold"],
            "comparison": _COMPARISONS[alarm["ComparisonOperator"]],
            "evaluation_periods": alarm["EvaluationPeriods"],
            "datapoints_to_alarm": alarm.get("DatapointsToAlarm"),
            "missing_data": _MISSING[alarm.get("TreatMissingData", "missing")],
            "adjustment_type": _snake(configuration["AdjustmentType"]),
            "steps": steps,
            "metric_aggregation_type": configuration.get("MetricAggregationType", "Average").lower(),
            "min_adjustment_magnitude": configuration.get("MinAdjustmentMagnitude"),
            "cooldown_seconds": configuration.get("Cooldown", 300),
        }
    )
    return _named(policy, properties.get("PolicyName"))


def _snake(words: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", words).lower()


def _alarm_of(policy_id: str, resources: Mapping[str, Any]) -> Mapping[str, Any]:
    for resource in resources.values():
        if resource.get("Type") == "AWS::CloudWatch::Alarm":
            properties: Mapping[str, Any] = resource["Properties"]
            if {"Ref": policy_id} in properties.get("AlarmActions", []):
                return properties
    raise TemplateError(f"{policy_id}: no alarm of the template has this step policy as its action, so it never acts")


def _scheduled(properties: Mapping[str, Any]) -> list[Policy]:
    actions: list[Policy] = []
    for action in properties.get("ScheduledActions", []):
        bounds = action.get("ScalableTargetAction", {})
        scheduled = ScheduledAction.model_validate(
            {
                "schedule": action["Schedule"],
                "timezone": action.get("Timezone", "UTC"),
                "start_time": action.get("StartTime"),
                "end_time": action.get("EndTime"),
                "min_capacity": bounds.get("MinCapacity"),
                "max_capacity": bounds.get("MaxCapacity"),
            }
        )
        actions.append(_named(scheduled, action["ScheduledActionName"]))
    return actions
