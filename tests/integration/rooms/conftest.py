"""One moto server in this process, with the rooms that run things; every test names its own resources."""

from __future__ import annotations

import io
import logging
import socket
import sys
import time
import uuid
import zipfile
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from sandbox import events, functions, logs, sagemaker, workflows
from sandbox.ports import free_ports
from sandbox.processes import log_tail, spawn, terminate
from sandbox.runtime import Runtime
from sandbox.sagemaker.images import REGISTRY, Image

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Any:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    port, dataplane_port = free_ports(2)
    runtime = Runtime(directory=tmp_path_factory.mktemp("sandbox"), port=port, dataplane_port=dataplane_port)
    rooms = (sagemaker, functions, workflows, events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "INTERVAL_SECONDS", 0.2)
        for room in rooms:
            room.install(runtime)
        server = ThreadedMotoServer("127.0.0.1", runtime.port, verbose=False)
        server.start()
        yield runtime
        for room in reversed(rooms):
            room.shutdown()
        server.stop()


@pytest.fixture(scope="session")
def dataplane(runtime: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The data plane, as the sandbox's server starts it."""
    arguments = ["--port", str(runtime.dataplane_port), "--front", runtime.endpoint_url]
    process = spawn(
        [sys.executable, "-m", "sandbox.dataplane", *arguments],
        env=runtime.environment(),
        log=tmp_path_factory.mktemp("dataplane") / "log",
    )
    deadline = time.monotonic() + 20
    while not listening(runtime.dataplane_port):
        assert process.exit_code is None, log_tail(process.log)
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield
    terminate(process, grace_seconds=2)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def name() -> Any:
    return f"t-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def bucket(runtime: Any, name: Any) -> Any:
    runtime.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def put(runtime: Any, bucket: Any) -> Any:
    def put_object(key: str, body: bytes | str) -> str:
        runtime.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
        return f"s3://{bucket}/{key}"

    return put_object


@pytest.fixture
def get(runtime: Any, bucket: Any) -> Any:
    return lambda key: runtime.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


@pytest.fixture
def wait_for() -> Any:
    """Poll a description until a field has one of the wanted values."""

    def wait(describe: Any, field: Any, *, until: Any, timeout_seconds: Any = 30.0) -> Any:
        deadline = time.monotonic() + timeout_seconds
        while (answer := describe())[field] not in until:
            assert time.monotonic() < deadline, answer
            time.sleep(0.05)
        return answer

    return wait


@pytest.fixture
def eventually() -> Any:
    """Poll until the call returns something true."""

    def wait(claim: Any, timeout_seconds: Any = 15.0) -> Any:
        deadline = time.monotonic() + timeout_seconds
        while not (found := claim()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return found

    return wait


@pytest.fixture
def role(runtime: Any, name: Any) -> Any:
    """A role for this test alone: tests of other files empty moto, which is in this process."""
    return runtime.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]


@pytest.fixture(scope="session")
def zipped() -> Any:
    """Pack the source of a handler as Lambda wants it."""

    def pack(code: str) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("handler.py", code)
        return buffer.getvalue()

    return pack


@pytest.fixture
def function(runtime: Any, name: Any, role: Any, zipped: Any) -> Any:
    """Create the Lambda function ``name`` from source text."""

    def create(code: str, **overrides: Any) -> Any:
        request = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": role,
            "Handler": "handler.handler",
            "Code": {"ZipFile": zipped(code)},
            "Timeout": 3,
            **overrides,
        }
        return runtime.client("lambda").create_function(**request)

    return create


@pytest.fixture
def image(monkeypatch: pytest.MonkeyPatch) -> Any:
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
