"""The only translator of scaling policies to CloudFormation; `autoscaling.template` reads them back."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_applicationautoscaling as scaling_
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from autoscaling.policies import (
    Metric,
    ScheduledAction,
    StepScalingPolicy,
    TargetTrackingPolicy,
    VariantScaling,
    policy_name,
)

PREDEFINED_METRICS: dict[Metric, str] = {
    "invocations_per_instance": "SageMakerVariantInvocationsPerInstance",
    "concurrent_requests_per_model": "SageMakerVariantConcurrentRequestsPerModelHighResolution",
}
METRICS: dict[Metric, tuple[str, str]] = {  # namespace, name
    "invocations_per_instance": ("AWS/SageMaker", "InvocationsPerInstance"),
    "concurrent_requests_per_model": ("AWS/SageMaker", "ConcurrentRequestsPerModel"),
    "cpu_utilization": ("/aws/sagemaker/Endpoints", "CPUUtilization"),
}
COMPARISONS = {
    "greater_than_or_equal": "GreaterThanOrEqualToThreshold",
    "greater_than": "GreaterThanThreshold",
    "less_than_or_equal": "LessThanOrEqualToThreshold",
    "less_than": "LessThanThreshold",
}
MISSING_DATA = {"missing": "missing", "ignore": "ignore", "breaching": "breaching", "not_breaching": "notBreaching"}


class ScalingPolicies(Construct):
    """A scalable target and the policies of one variant.

    Parameters
    ----------
    endpoint : CfnEndpoint
        Created before the scalable target, deleted after it.
    endpoint_name : str
        A literal: the scalable target's resource id is made of it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        endpoint: sagemaker.CfnEndpoint,
        endpoint_name: str,
        variant_name: str,
        scaling: VariantScaling,
    ) -> None:
        super().__init__(scope, construct_id)
        self._dimensions = {"EndpointName": endpoint_name, "VariantName": variant_name}
        self._target = scaling_.CfnScalableTarget(
            self,
            "Target",
            service_namespace="sagemaker",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            resource_id=f"endpoint/{endpoint_name}/variant/{variant_name}",
            min_capacity=scaling.min_capacity,
            max_capacity=scaling.max_capacity,
            scheduled_actions=_scheduled(scaling.scheduled_actions) or None,
        )
        self._target.node.add_dependency(endpoint)
        for policy in scaling.scaling_policies:
            # Its name is its id: were they numbered, policies that change places would overwrite and delete each other.
            if isinstance(policy, TargetTrackingPolicy):
                self._track(policy_name(policy), policy)
            else:
                self._step(policy_name(policy), policy)

    def _track(self, construct_id: str, policy: TargetTrackingPolicy) -> None:
        predefined = PREDEFINED_METRICS.get(policy.metric)
        types = scaling_.CfnScalingPolicy
        scaling_.CfnScalingPolicy(
            self,
            construct_id,
            policy_name=construct_id,
            policy_type="TargetTrackingScaling",
            scaling_target_id=self._target.ref,
            target_tracking_scaling_policy_configuration=types.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=policy.target,
                scale_out_cooldown=policy.scale_out_cooldown_seconds,
                scale_in_cooldown=policy.scale_in_cooldown_seconds,
                disable_scale_in=policy.disable_scale_in,
                predefined_metric_specification=None
                if predefined is None
                else types.PredefinedMetricSpecificationProperty(predefined_metric_type=predefined),
                customized_metric_specification=None if predefined is not None else self._custom_metric(policy.metric),
            ),
        )

    def _custom_metric(self, metric: Metric) -> scaling_.CfnScalingPolicy.CustomizedMetricSpecificationProperty:
        namespace, name = METRICS[metric]
        return scaling_.CfnScalingPolicy.CustomizedMetricSpecificationProperty(
            namespace=namespace,
            metric_name=name,
            statistic="Average",
            unit="Percent",
            dimensions=[
                scaling_.CfnScalingPolicy.MetricDimensionProperty(name=key, value=value)
                for key, value in self._dimensions.items()
            ],
        )

    def _step(self, construct_id: str, policy: StepScalingPolicy) -> None:
        types = scaling_.CfnScalingPolicy
        step_policy = scaling_.CfnScalingPolicy(
            self,
            construct_id,
            policy_name=construct_id,
            policy_type="StepScaling",
            scaling_target_id=self._target.ref,
            step_scaling_policy_configuration=types.StepScalingPolicyConfigurationProperty(
                adjustment_type=_camel(policy.adjustment_type),
                cooldown=policy.cooldown_seconds,
                metric_aggregation_type=_camel(policy.metric_aggregation_type),
                min_adjustment_magnitude=policy.min_adjustment_magnitude,
                step_adjustments=[
                    types.StepAdjustmentProperty(
                        metric_interval_lower_bound=step.lower_bound,
                        metric_interval_upper_bound=step.upper_bound,
                        scaling_adjustment=step.adjustment,
                    )
                    for step in policy.steps
                ],
            ),
        )
        self._alarm(f"{construct_id}Alarm", policy, step_policy.ref)

    def _alarm(self, construct_id: str, policy: StepScalingPolicy, action: str) -> None:
        namespace, name = METRICS[policy.metric]
        cloudwatch.CfnAlarm(
            self,
            construct_id,
            alarm_description=f"Triggers the scaling policy {policy_name(policy)}.",
            namespace=namespace,
            metric_name=name,
            dimensions=[
                cloudwatch.CfnAlarm.DimensionProperty(name=key, value=value) for key, value in self._dimensions.items()
            ],
            statistic=_camel(policy.effective_statistic),
            period=policy.period_seconds,
            threshold=policy.threshold,
            comparison_operator=COMPARISONS[policy.comparison],
            evaluation_periods=policy.evaluation_periods,
            datapoints_to_alarm=policy.effective_datapoints_to_alarm,
            treat_missing_data=MISSING_DATA[policy.missing_data],
            alarm_actions=[action],
        )


def _scheduled(actions: Sequence[ScheduledAction]) -> list[scaling_.CfnScalableTarget.ScheduledActionProperty]:
    types = scaling_.CfnScalableTarget
    return [
        types.ScheduledActionProperty(
            scheduled_action_name=policy_name(action),
            schedule=action.schedule,
            timezone=action.timezone,
            start_time=action.start_time,
            end_time=action.end_time,
            scalable_target_action=types.ScalableTargetActionProperty(
                min_capacity=action.min_capacity, max_capacity=action.max_capacity
            ),
        )
        for action in actions
    ]


def _camel(words: str) -> str:
    """Write snake_case as AWS's enumerations are written."""
    return "".join(word.capitalize() for word in words.split("_"))
