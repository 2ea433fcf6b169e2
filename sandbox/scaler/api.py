"""What Application Auto Scaling lacks in moto: DescribeScalingActivities, and target tracking's alarms on SageMaker.

A policy that is put again keeps its ARN in AWS; moto makes a new one.
"""

from __future__ import annotations

import json
from typing import Any

from moto.applicationautoscaling.models import FakeApplicationAutoscalingPolicy, applicationautoscaling_backends
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.cloudwatch.models import cloudwatch_backends

from autoscaling.alarms import Alarm, alarms_of
from autoscaling.policies import Metric
from sandbox.scaler.activities import Activities
from sandbox.scaler.deployed import NAMESPACE, NotFollowedError, read_target
from sandbox.scaler.metrics import INSTANCE_NAMESPACE, INVOCATION_NAMESPACE

PUBLISHED: dict[Metric, tuple[str, str]] = {
    "invocations_per_instance": (INVOCATION_NAMESPACE, "InvocationsPerInstance"),
    "concurrent_requests_per_model": (INVOCATION_NAMESPACE, "ConcurrentRequestsPerModel"),
    "cpu_utilization": (INSTANCE_NAMESPACE, "CPUUtilization"),
}
_moto_create_alarms = FakeApplicationAutoscalingPolicy.create_alarms


def install(activities: Activities) -> None:
    """Set this file's seams in moto."""

    def describe_scaling_activities(response: Any) -> str:
        found = activities.describe(
            response._get_param("ResourceId"), not_scaled=bool(response._get_param("IncludeNotScaledActivities"))
        )
        most = response._get_int_param("MaxResults") or 50
        start = int(response._get_param("NextToken") or 0)
        answer: dict[str, Any] = {"ScalingActivities": found[start : start + most]}
        if len(found) > start + most:
            answer["NextToken"] = str(start + most)
        return json.dumps(answer)

    ApplicationAutoScalingResponse.describe_scaling_activities = describe_scaling_activities  # type: ignore[attr-defined] # a seam
    FakeApplicationAutoscalingPolicy.create_alarms = _create_alarms  # type: ignore[method-assign, assignment]


def alarm_name(resource_id: str, alarm: Alarm) -> str:
    """Return the name that CloudWatch shows for an alarm of target tracking."""
    suffix = "AlarmHigh" if alarm.role == "scale_out" else "AlarmLow"
    return f"TargetTracking-{resource_id}-{suffix}-{alarm.policy.name}"


def _create_alarms(policy: Any) -> None:
    """Create the two alarms of target tracking; they show the scaler's view, and acting on them is the scaler's."""
    _keep_arn(policy)
    if policy.service_namespace != NAMESPACE or policy.policy_type != "TargetTrackingScaling":
        _moto_create_alarms(policy)
        return
    options = policy.target_tracking_scaling_policy_configuration
    described = {
        "PolicyName": policy.policy_name,
        "PolicyType": policy.policy_type,
        "TargetTrackingScalingPolicyConfiguration": options,
    }
    bounds = {"ResourceId": policy.resource_id, "MinCapacity": 1, "MaxCapacity": 1}
    try:
        target = read_target(bounds, [described], [], [])
    except NotFollowedError:
        return  # the scaler says so where it would have to follow it
    policy.alarms = [_put(policy, alarm) for alarm in alarms_of(target.scaling)]


def _keep_arn(policy: Any) -> None:
    key = policy.formulate_key(
        policy.service_namespace, policy.resource_id, policy.scalable_dimension, policy.policy_name
    )
    before = applicationautoscaling_backends[policy.account_id][policy.region_name].policies.get(key)
    policy.policy_arn = before.policy_arn if before else policy.policy_arn


def _put(policy: Any, alarm: Alarm) -> Any:
    _, endpoint, _, variant = policy.resource_id.split("/")
    namespace, metric = PUBLISHED[alarm.metric]
    above = alarm.role == "scale_out"
    return cloudwatch_backends[policy.account_id][policy.region_name].put_metric_alarm(
        name=alarm_name(policy.resource_id, alarm),
        namespace=namespace,
        metric_name=metric,
        metric_data_queries=[],
        comparison_operator="GreaterThanThreshold" if above else "LessThanThreshold",
        evaluation_periods=alarm.evaluation_periods,
        period=alarm.period_seconds,
        threshold=alarm.threshold,
        statistic=alarm.statistic.capitalize(),
        description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.policy_arn}.",
        dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
        alarm_actions=[policy.policy_arn],
    )
