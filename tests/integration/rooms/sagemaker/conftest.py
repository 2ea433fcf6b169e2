"""A fake algorithm: jobs that train it, models that serve it."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
from moto.sagemaker.models import sagemaker_backends

from sandbox.runtime import ACCOUNT_ID

ROLE = "arn:aws:iam::123456789012:role/job"


@pytest.fixture
def client(runtime: Any) -> Any:
    return runtime.client("sagemaker")


@pytest.fixture
def channel() -> Any:
    """One entry of InputDataConfig."""

    def make(channel_name: str, uri: str, distribution: str = "FullyReplicated") -> Any:
        source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": distribution}
        return {"ChannelName": channel_name, "DataSource": {"S3DataSource": source}, "ContentType": "text/csv"}

    return make


@pytest.fixture
def train(client: Any, name: Any, bucket: Any, put: Any, image: Any, channel: Any, wait_for: Any) -> Any:
    """Start a training job of the fake algorithm and wait for its end."""

    def run(*, wait: Any = True, **overrides: Any) -> Any:
        data = put("data/train/part-0.csv", "1,2\n0,1\n")
        request = {
            "TrainingJobName": name,
            "AlgorithmSpecification": {
                "TrainingImage": image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "score", "Regex": r"score=(\S+)"}],
            },
            "RoleArn": ROLE,
            "InputDataConfig": [channel("train", data.rpartition("/")[0])],
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/runs"},
            "ResourceConfig": {"InstanceType": "ml.c4.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **overrides,
        }
        client.create_training_job(**request)
        describe = lambda: client.describe_training_job(TrainingJobName=name)  # noqa: E731
        if not wait:
            return describe
        return wait_for(describe, "TrainingJobStatus", until=("Completed", "Failed", "Stopped"))

    return run


@pytest.fixture
def pack(put: Any) -> Any:
    """Upload a model.tar.gz whose one file holds what the model shall answer."""

    def make(answer: str, key: str = "models/model.tar.gz") -> str:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            member = tarfile.TarInfo("answer")
            member.size = len(answer)
            tar.addfile(member, io.BytesIO(answer.encode()))
        return str(put(key, buffer.getvalue()))

    return make


@pytest.fixture
def host(client: Any, name: Any, image: Any, pack: Any, dataplane: Any, wait_for: Any) -> Any:
    """Make a model, an endpoint configuration and, the first time, an endpoint; clean up afterwards."""
    made = []

    def configure(
        config_name: Any, answer: Any = "one", *, environment: Any = None, model_data: Any = None, **variant: Any
    ) -> Any:
        model_data = model_data or pack(answer, f"models/{config_name}.tar.gz")
        container = {"Image": image, "ModelDataUrl": model_data, "Environment": environment or {}}
        client.create_model(ModelName=config_name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        defaults = {"VariantName": "main", "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}
        fields = {"ModelName": config_name, **defaults, **variant}
        variants = [{field: value for field, value in fields.items() if value is not None}]
        client.create_endpoint_config(EndpointConfigName=config_name, ProductionVariants=variants)
        return config_name

    def create(answer: Any = "one", *, wait: Any = True, **options: Any) -> None:
        configure(f"{name}-1", answer, **options)
        client.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-1")
        made.append(name)
        if wait:
            settled()

    def settled() -> Any:
        describe = lambda: client.describe_endpoint(EndpointName=name)  # noqa: E731
        return wait_for(describe, "EndpointStatus", until=("InService", "Failed"))

    vars(create).update(configure=configure, settled=settled)
    yield create
    for endpoint in made:
        if client.list_endpoints(NameContains=endpoint)["Endpoints"]:
            settled()
            client.delete_endpoint(EndpointName=endpoint)


@pytest.fixture
def instances(name: Any) -> Any:
    """The instances of the endpoint ``name`` in service, as the data plane knows them."""

    def look() -> Any:
        endpoint: Any = sagemaker_backends[ACCOUNT_ID]["us-east-1"].endpoints[name]
        return endpoint.variants[0].routes()["instances"]

    return look


@pytest.fixture
def predict(runtime: Any, name: Any) -> Any:
    """Invoke the endpoint ``name``."""
    client = runtime.client("sagemaker-runtime")

    def invoke(body: Any = "x", content_type: Any = "text/csv") -> Any:
        return client.invoke_endpoint(EndpointName=name, ContentType=content_type, Body=body)["Body"].read().decode()

    return invoke
