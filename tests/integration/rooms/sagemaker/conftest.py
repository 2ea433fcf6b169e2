"""One moto server with the rooms under test, in this process; every test names its own resources."""

from __future__ import annotations

import io
import json
import logging
import socket
import sys
import tarfile
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from sandbox import sagemaker
from sandbox.runtime import Runtime
from sandbox.sagemaker.images import REGISTRY, Image

HERE = Path(__file__).parent
ROLE = "arn:aws:iam::123456789012:role/job"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def runtime(tmp_path_factory):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    runtime = Runtime(directory=tmp_path_factory.mktemp("sandbox"), port=free_port(), dataplane_port=free_port())
    sagemaker.install(runtime)
    server = ThreadedMotoServer("127.0.0.1", runtime.port, verbose=False)
    server.start()
    yield runtime
    sagemaker.shutdown()
    server.stop()


@pytest.fixture(scope="session")
def routes(runtime):
    """What the data plane was told, by endpoint; the newest last. None: deleted."""
    told: dict[str, list] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(body["variants"])

        def do_DELETE(self):
            self.answer(None)

        def answer(self, variants):
            told.setdefault(self.path.removeprefix("/_sandbox/endpoints/"), []).append(variants)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", runtime.dataplane_port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield told
    server.shutdown()
    server.server_close()


@pytest.fixture
def name():
    return f"t-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def client(runtime):
    return runtime.client("sagemaker")


@pytest.fixture
def bucket(runtime, name):
    runtime.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def put(runtime, bucket):
    def put_object(key: str, body: bytes | str) -> str:
        runtime.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
        return f"s3://{bucket}/{key}"

    return put_object


@pytest.fixture
def get(runtime, bucket):
    return lambda key: runtime.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


@pytest.fixture
def image(monkeypatch):
    """An image whose trainer is ``fake_trainer.py``."""
    monkeypatch.setitem(
        REGISTRY,
        "fake-algorithm",
        Image(
            train=(sys.executable, str(HERE / "fake_trainer.py")),
            host=lambda directory, port: [sys.executable, str(HERE / "fake_server.py"), str(directory), str(port)],
            process=True,
        ),
    )
    return "123456789012.dkr.ecr.us-east-1.amazonaws.com/fake-algorithm:1"


@pytest.fixture
def wait_for():
    """Poll a description until a field has one of the wanted values."""

    def wait(describe, field, *, until, timeout_seconds=30.0):
        deadline = time.monotonic() + timeout_seconds
        while (answer := describe())[field] not in until:
            assert time.monotonic() < deadline, answer
            time.sleep(0.05)
        return answer

    return wait


@pytest.fixture
def channel():
    """One entry of InputDataConfig."""

    def make(channel_name: str, uri: str, distribution: str = "FullyReplicated"):
        source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": distribution}
        return {"ChannelName": channel_name, "DataSource": {"S3DataSource": source}, "ContentType": "text/csv"}

    return make


@pytest.fixture
def train(client, name, bucket, put, image, channel, wait_for):
    """Start a training job of the fake algorithm and wait for its end."""

    def run(*, wait=True, **overrides):
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
def pack(put):
    """Upload a model.tar.gz whose one file holds what the model shall answer."""

    def make(answer: str, key: str = "models/model.tar.gz") -> str:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            member = tarfile.TarInfo("answer")
            member.size = len(answer)
            tar.addfile(member, io.BytesIO(answer.encode()))
        return put(key, buffer.getvalue())

    return make


@pytest.fixture
def host(client, name, image, pack, routes, wait_for):
    """Make a model, an endpoint configuration and, the first time, an endpoint; clean up afterwards."""
    made = []

    def configure(config_name, answer="one", *, environment=None, model_data=None, **variant):
        model_data = model_data or pack(answer, f"models/{config_name}.tar.gz")
        container = {"Image": image, "ModelDataUrl": model_data, "Environment": environment or {}}
        client.create_model(ModelName=config_name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        defaults = {"VariantName": "main", "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}
        fields = {"ModelName": config_name, **defaults, **variant}
        variants = [{field: value for field, value in fields.items() if value is not None}]
        client.create_endpoint_config(EndpointConfigName=config_name, ProductionVariants=variants)
        return config_name

    def create(answer="one", *, wait=True, **options):
        configure(f"{name}-1", answer, **options)
        client.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-1")
        made.append(name)
        if wait:
            settled()

    def settled():
        describe = lambda: client.describe_endpoint(EndpointName=name)  # noqa: E731
        return wait_for(describe, "EndpointStatus", until=("InService", "Failed"))

    create.configure, create.settled = configure, settled
    yield create
    for endpoint in made:
        if client.list_endpoints(NameContains=endpoint)["Endpoints"]:
            settled()
            client.delete_endpoint(EndpointName=endpoint)
