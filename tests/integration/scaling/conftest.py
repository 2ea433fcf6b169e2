"""A sandbox with one scalable endpoint, made through the API: no stacks, no training."""

import io
import os
import time

import numpy as np
import pytest

from sandbox import launch
from serving.artifact import LinearModel, write_artifact

ENDPOINT, VARIANT = "kdd99-scaling", "main"
RESOURCE = {
    "ServiceNamespace": "sagemaker",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    "ResourceId": f"endpoint/{ENDPOINT}/variant/{VARIANT}",
}
IMAGE = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"


class Scalable:
    """The endpoint and what a test does with it."""

    def __init__(self, runtime):
        self.runtime = runtime
        self.url = f"{runtime.dataplane_url}/endpoints/{ENDPOINT}/invocations"
        self.scaling = runtime.client("application-autoscaling")
        self.sagemaker = runtime.client("sagemaker")

    def track(self, target, **options):
        """Register the variant with one target-tracking policy."""
        self.scaling.register_scalable_target(**RESOURCE, MinCapacity=1, MaxCapacity=4)
        configuration = {
            "TargetValue": float(target),
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            **options,
        }
        return self.scaling.put_scaling_policy(
            **RESOURCE,
            PolicyName="tracking",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=configuration,
        )

    def instances(self):
        (variant,) = self.sagemaker.describe_endpoint(EndpointName=ENDPOINT)["ProductionVariants"]
        return variant["CurrentInstanceCount"]

    def wait_for(self, claim, seconds=30.0):
        deadline = time.monotonic() + seconds
        while not (found := claim()):
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)
        return found


@pytest.fixture(scope="session")
def scalable(tmp_path_factory):
    runtime = launch.start(tmp_path_factory.mktemp("sandbox"), owner_pid=os.getpid())
    try:
        yield _deploy(runtime)
    finally:
        launch.stop(runtime.directory)


def _deploy(runtime):
    model = LinearModel("binary_classifier", np.ones((3, 1), np.float32), np.zeros(1, np.float32), "logistic")
    archive = runtime.directory / "model.tar.gz"
    write_artifact(model, archive)
    runtime.client("s3").create_bucket(Bucket="models")
    runtime.client("s3").upload_fileobj(io.BytesIO(archive.read_bytes()), "models", "model.tar.gz")
    sagemaker = runtime.client("sagemaker")
    container = {"Image": IMAGE, "ModelDataUrl": "s3://models/model.tar.gz"}
    role = "arn:aws:iam::123456789012:role/service"
    sagemaker.create_model(ModelName="linear", PrimaryContainer=container, ExecutionRoleArn=role)
    variant = {
        "VariantName": VARIANT,
        "ModelName": "linear",
        "InstanceType": "ml.m4.xlarge",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName="first", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="first")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=ENDPOINT, WaiterConfig={"Delay": 1})
    return Scalable(runtime)
