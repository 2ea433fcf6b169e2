"""A sandbox with one scalable endpoint, made through the API: no stacks, no training."""

import io
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.api import Api
from sandbox import launch
from sandbox.runtime import Runtime
from serving.artifact import LinearModel, write_artifact

ENDPOINT, VARIANT = "kdd99-scaling", "main"
RESOURCE = {
    "ServiceNamespace": "sagemaker",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    "ResourceId": f"endpoint/{ENDPOINT}/variant/{VARIANT}",
}
ROLE = "arn:aws:iam::123456789012:role/service"
IMAGE = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"


class Scalable:
    """The endpoint and what a test does with it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.url = f"{runtime.dataplane_url}/endpoints/{ENDPOINT}/invocations"
        self.scaling = runtime.client("application-autoscaling")
        self.sagemaker = runtime.client("sagemaker")
        self._make_role()

    def _make_role(self) -> None:
        """Make the role of the models and of the API: without it both would be refused."""
        iam, name = self.runtime.client("iam"), ROLE.rpartition("/")[2]
        iam.create_role(RoleName=name, AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
        allowed = {
            "Effect": "Allow",
            "Action": ["sagemaker:InvokeEndpoint", "s3:GetObject", "s3:ListBucket"],
            "Resource": "*",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName=name, PolicyName="serve", PolicyDocument=document)

    def track(self, target: float, **options: Any) -> None:
        """Register the variant with one target-tracking policy."""
        self.scaling.register_scalable_target(**RESOURCE, MinCapacity=1, MaxCapacity=4)
        configuration = {
            "TargetValue": float(target),
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            **options,
        }
        self.scaling.put_scaling_policy(
            **RESOURCE,
            PolicyName="tracking",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=configuration,
        )

    def api_url(self) -> str:
        """Deploy a REST API in front of the endpoint, as the serving stack does; return its method's URL."""
        gateway = self.runtime.client("apigateway")
        api = gateway.create_rest_api(name="load")["id"]
        (root,) = gateway.get_resources(restApiId=api)["items"]
        resource = gateway.create_resource(restApiId=api, parentId=root["id"], pathPart="invocations")["id"]
        method = {"restApiId": api, "resourceId": resource, "httpMethod": "POST"}
        content_type = "method.request.header.Content-Type"
        gateway.put_method(**method, authorizationType="NONE", requestParameters={content_type: False})
        for status in ("200", "500"):
            gateway.put_method_response(**method, statusCode=status)
        gateway.put_integration(
            **method,
            type="AWS",
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:us-east-1:runtime.sagemaker:path/endpoints/{ENDPOINT}/invocations",
            credentials=ROLE,
            passthroughBehavior="WHEN_NO_MATCH",
            requestParameters={"integration.request.header.Content-Type": content_type},
        )
        gateway.put_integration_response(**method, statusCode="200", selectionPattern="2\\d{2}")
        gateway.put_integration_response(**method, statusCode="500")
        gateway.create_deployment(restApiId=api, stageName="v1")
        rate, burst = Api().throttle(most_instances=10)
        limits = {"/*/*/throttling/rateLimit": rate, "/*/*/throttling/burstLimit": burst}
        changes = [{"op": "replace", "path": path, "value": f"{value:g}"} for path, value in limits.items()]
        gateway.update_stage(restApiId=api, stageName="v1", patchOperations=changes)
        return f"{self.runtime.dataplane_url}/restapis/{api}/v1/_user_request_/invocations"

    def serve(self, name: str, weights: list[list[float]]) -> str:
        """Make a model with these weights and a configuration that serves it; return the configuration's name."""
        model = LinearModel("binary_classifier", np.array(weights, np.float32), np.zeros(1, np.float32), "logistic")
        archive = self.runtime.directory / f"{name}.tar.gz"
        write_artifact(model, archive)
        s3 = self.runtime.client("s3")
        s3.create_bucket(Bucket="models")
        s3.upload_fileobj(io.BytesIO(archive.read_bytes()), "models", f"{name}.tar.gz")
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://models/{name}.tar.gz"}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        variant = {
            "VariantName": VARIANT,
            "ModelName": name,
            "InstanceType": "ml.m4.xlarge",
            "InitialInstanceCount": 1,
        }
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        return name

    @contextmanager
    def instead(self, config: str) -> Iterator[None]:
        """Serve another configuration for a while."""
        before = self.sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
        self._update(config)
        try:
            yield
        finally:
            self._update(before)

    def _update(self, config: str) -> None:
        self.sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=config)
        self.in_service()

    def scale_to(self, count: int) -> None:
        self.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=ENDPOINT,
            DesiredWeightsAndCapacities=[{"VariantName": VARIANT, "DesiredInstanceCount": count}],
        )
        self.in_service()

    def in_service(self) -> None:
        waiter = self.sagemaker.get_waiter("endpoint_in_service")
        waiter.wait(EndpointName=ENDPOINT, WaiterConfig={"Delay": 1})

    def server_pids(self) -> list[int]:
        """Return the processes of the model servers."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            home = str(self.runtime.directory / "endpoints").encode()
            if b"serving" in command and any(part.startswith(home) for part in command):
                found.append(int(folder.name))
        return found

    def instances(self) -> int:
        (variant,) = self.sagemaker.describe_endpoint(EndpointName=ENDPOINT)["ProductionVariants"]
        return int(variant["CurrentInstanceCount"])

    def wait_for(self, claim: Callable[[], bool], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not claim():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)


@pytest.fixture(scope="session")
def scalable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scalable]:
    runtime = launch.start(tmp_path_factory.mktemp("sandbox"), owner_pid=os.getpid())
    try:
        yield _deploy(runtime)
    finally:
        launch.stop(runtime.directory)


def _deploy(runtime: Runtime) -> Scalable:
    made = Scalable(runtime)
    made.sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=made.serve("first", [[1.0]] * 3))
    made.in_service()
    return made
