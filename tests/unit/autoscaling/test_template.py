"""A template's policies are read back, or refused with the resource and the reason."""

from typing import Any

import pytest

from autoscaling.policies import TargetTrackingPolicy
from autoscaling.template import TemplateError, deployed_variants

TARGET = {
    "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
    "Properties": {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ResourceId": {"Fn::Join": ["", ["endpoint/", {"Fn::GetAtt": ["Endpoint", "EndpointName"]}, "/variant/main"]]},
        "MinCapacity": 1,
        "MaxCapacity": 10,
    },
}
POLICY = {
    "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
    "Properties": {
        "PolicyName": "mine",
        "PolicyType": "TargetTrackingScaling",
        "ScalingTargetId": {"Ref": "Target"},
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 30000,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        },
    },
}
CONFIG = {
    "Type": "AWS::SageMaker::EndpointConfig",
    "Properties": {"ProductionVariants": [{"VariantName": "main", "InstanceType": "ml.m4.xlarge"}]},
}
ENDPOINT = {"Type": "AWS::SageMaker::Endpoint", "Properties": {"EndpointName": "kdd99-dev-1a2b3c4d"}}


def template(**resources: Any) -> dict[str, Any]:
    return {"Resources": {"Target": TARGET, "Endpoint": ENDPOINT, "Config": CONFIG, **resources}}


def changed(policy: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {**policy, "Properties": {**policy["Properties"], **properties}}


def test_variant_is_read_with_its_type_and_policy() -> None:
    (variant,) = deployed_variants(template(Policy=POLICY))
    assert (variant.endpoint, variant.variant, variant.instance_type) == ("kdd99-dev-1a2b3c4d", "main", "ml.m4.xlarge")
    assert variant.scaling.policies == (TargetTrackingPolicy(name="mine", target=30000),)


@pytest.mark.parametrize(
    ("resources", "reason"),
    [
        ({"Target": ENDPOINT}, "no scalable target"),
        ({"Policy": changed(POLICY, PolicyType="PredictiveScaling")}, "Policy: PolicyType PredictiveScaling"),
        (
            {
                "Policy": changed(
                    POLICY,
                    TargetTrackingScalingPolicyConfiguration={
                        "TargetValue": 1,
                        "CustomizedMetricSpecification": {"Namespace": "AWS/SageMaker", "MetricName": "Nothing"},
                    },
                )
            },
            "Policy: a metric that no SageMaker variant emits",
        ),
        (
            {
                "Policy": changed(
                    POLICY,
                    PolicyType="StepScaling",
                    StepScalingPolicyConfiguration={"AdjustmentType": "ChangeInCapacity", "StepAdjustments": []},
                )
            },
            "Policy: no alarm of the template has this step policy as its action",
        ),
        ({"Target": changed(TARGET, ResourceId={"Ref": "Other"})}, "Target: ResourceId is not endpoint/"),
    ],
)
def test_template_is_refused_with_resource_and_reason(resources: dict[str, Any], reason: str) -> None:
    with pytest.raises(TemplateError, match=reason):
        deployed_variants(template(**resources))


def test_shadow_variant_is_read_with_its_type() -> None:
    shadow = {"ShadowProductionVariants": [{"VariantName": "main", "InstanceType": "ml.c5.large"}]}
    (variant,) = deployed_variants(template(Config={**CONFIG, "Properties": shadow}))
    assert variant.instance_type == "ml.c5.large"


def test_policies_of_another_target_are_left_out() -> None:
    (variant,) = deployed_variants(template(Policy=changed(POLICY, ScalingTargetId={"Ref": "Other"})))
    assert variant.scaling.policies == ()
