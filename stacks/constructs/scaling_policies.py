"""The only translator of scaling policies to CloudFormation."""

from __future__ import annotations

from aws_cdk import aws_applicationautoscaling as scaling_
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from autoscaling.policies import TargetTrackingPolicy, VariantScaling

PREDEFINED_METRICS = {"invocations_per_instance": "SageMakerVariantInvocationsPerInstance"}


class ScalingPolicies(Construct):
    """A scalable target and the policies of one variant."""

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
        self._target = scaling_.CfnScalableTarget(
            self,
            "Target",
            service_namespace="sagemaker",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            resource_id=f"endpoint/{endpoint_name}/variant/{variant_name}",
            min_capacity=scaling.min_capacity,
            max_capacity=scaling.max_capacity,
        )
        self._target.node.add_dependency(endpoint)
        for number, policy in enumerate(scaling.policies):
            if isinstance(policy, TargetTrackingPolicy):
                self._track(f"Policy{number}", f"{endpoint_name}-{variant_name}-{number}", policy)

    def _track(self, construct_id: str, name: str, policy: TargetTrackingPolicy) -> None:
        scaling_.CfnScalingPolicy(
            self,
            construct_id,
            policy_name=name,
            policy_type="TargetTrackingScaling",
            scaling_target_id=self._target.ref,
            target_tracking_scaling_policy_configuration=scaling_.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=policy.target,
                scale_out_cooldown=policy.scale_out_cooldown_seconds,
                scale_in_cooldown=policy.scale_in_cooldown_seconds,
                disable_scale_in=policy.disable_scale_in,
                predefined_metric_specification=scaling_.CfnScalingPolicy.PredefinedMetricSpecificationProperty(
                    predefined_metric_type=PREDEFINED_METRICS[policy.metric]
                ),
            ),
        )
