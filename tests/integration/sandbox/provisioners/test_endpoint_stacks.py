"""Endpoints in stacks: what is updated first, what goes last, and what a failure leaves in service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sandbox.cloudformation import provisioners  # noqa: F401 - registers every type
from sandbox.runtime import ACCOUNT_ID, Runtime
from serving.artifact import LinearModel, write_artifact
from tests.integration.sandbox.provisioners.plain_types import IMAGE
from tests.integration.sandbox.provisioners.stacks import Stacks


@pytest.fixture
def artifact(live: Runtime, tmp_path: Path) -> Iterator[str]:
    model = LinearModel(
        predictor_type="regressor",
        weights=np.ones((2, 1), dtype=np.float32),
        bias=np.zeros(1, dtype=np.float32),
        loss_type="squared_loss",
    )
    write_artifact(model, tmp_path / "model.tar.gz")
    client = live.client("s3")
    client.create_bucket(Bucket="models")
    client.upload_file(str(tmp_path / "model.tar.gz"), "models", "model.tar.gz")
    yield "s3://models/model.tar.gz"
    client.delete_object(Bucket="models", Key="model.tar.gz")
    client.delete_bucket(Bucket="models")


def serving(
    model_data_url: str,
    *,
    count: int = 1,
    instance_type: str = "ml.m5.large",
    name: str = "endpoint",
    target_value: int = 30_000,
) -> str:
    variant = {
        "VariantName": "main",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InstanceType": instance_type,
        "InitialInstanceCount": count,
    }
    target = {
        "MaxCapacity": 3,
        "MinCapacity": 1,
        "ResourceId": f"endpoint/{name}/variant/main",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ServiceNamespace": "sagemaker",
    }
    resources = {
        "Model": {
            "Type": "AWS::SageMaker::Model",
            "Properties": {
                "ExecutionRoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/x",
                "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": model_data_url},
            },
        },
        "Config": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [variant]}},
        "Endpoint": {
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {
                "EndpointName": name,
                "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
                "RetainAllVariantProperties": True,
            },
        },
        "Target": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "DependsOn": "Endpoint",
            "Properties": target,
        },
        "Policy": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {
                "PolicyName": "policy",
                "PolicyType": "TargetTrackingScaling",
                "ScalingTargetId": {"Ref": "Target"},
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": str(target_value),
                    "PredefinedMetricSpecification": {
                        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance",
                    },
                },
            },
        },
    }
    return json.dumps({"Resources": resources})


def test_endpoint_is_updated_first_and_its_old_config_and_model_go_last(
    stacks: Stacks, live: Runtime, artifact: str
) -> None:
    sagemaker = live.client("sagemaker")
    assert stacks.create("serving", serving(artifact)) == "CREATE_COMPLETE", stacks.reasons("serving")
    before = sagemaker.describe_endpoint(EndpointName="endpoint")
    assert stacks.update("serving", serving(artifact, count=3)) == "UPDATE_COMPLETE", stacks.reasons("serving")
    after = sagemaker.describe_endpoint(EndpointName="endpoint")
    assert after["EndpointConfigName"] != before["EndpointConfigName"]
    assert after["ProductionVariants"][0]["CurrentInstanceCount"] == 1  # retained
    configs = [config["EndpointConfigName"] for config in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    assert configs == [after["EndpointConfigName"]]

    # Another threshold is the same policy's: it keeps its ARN, and no old one is there to be deleted.
    scaling = live.client("application-autoscaling")
    (policy,) = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert stacks.update("serving", serving(artifact, count=3, target_value=15_000)) == "UPDATE_COMPLETE"
    (changed,) = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert changed["PolicyARN"] == policy["PolicyARN"]
    assert changed["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 15_000

    # AWS refuses another instance type under a registered scalable target.
    body = serving(artifact, count=3, instance_type="ml.m5.xlarge", target_value=15_000)
    assert stacks.update("serving", body) == "UPDATE_ROLLBACK_COMPLETE"
    assert "must be deregistered" in stacks.reasons("serving")
    assert sagemaker.describe_endpoint(EndpointName="endpoint")["EndpointStatus"] == "InService"

    # An artifact that cannot be loaded: the update fails, the old configuration goes on serving.
    live.client("s3").put_object(Bucket="models", Key="broken.tar.gz", Body=b"no archive")
    assert stacks.update("serving", serving("s3://models/broken.tar.gz", count=3)) == "UPDATE_ROLLBACK_COMPLETE"
    served = sagemaker.describe_endpoint(EndpointName="endpoint")
    assert (served["EndpointStatus"], served["EndpointConfigName"]) == ("InService", after["EndpointConfigName"])
    live.client("s3").delete_object(Bucket="models", Key="broken.tar.gz")

    assert stacks.delete("serving") == "DELETE_COMPLETE"
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_models()["Models"] == []


def test_endpoint_that_never_serves_fails_the_stack_with_its_reason_and_is_deleted(
    stacks: Stacks, live: Runtime
) -> None:
    live.client("s3").create_bucket(Bucket="broken")
    live.client("s3").put_object(Bucket="broken", Key="model.tar.gz", Body=b"no archive")
    assert stacks.create("failing", serving("s3://broken/model.tar.gz", name="failing")) == "ROLLBACK_COMPLETE"
    assert "Endpoint: Endpoint failing is Failed" in stacks.reasons("failing")
    assert live.client("sagemaker").list_endpoints()["Endpoints"] == []
