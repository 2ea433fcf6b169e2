"""One moto server with Lambda workers, in this process."""

from __future__ import annotations

import io
import json
import logging
import socket
import time
import uuid
import zipfile

import pytest
from moto.server import ThreadedMotoServer

from sandbox import functions
from sandbox.runtime import Runtime


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name + ".py", text)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def runtime(tmp_path_factory):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    runtime = Runtime(directory=tmp_path_factory.mktemp("sandbox"), port=free_port(), dataplane_port=free_port())
    functions.install(runtime)
    server = ThreadedMotoServer("127.0.0.1", runtime.port, verbose=False)
    server.start()
    yield runtime
    functions.shutdown()
    server.stop()


@pytest.fixture(scope="session")
def role(runtime):
    return runtime.client("iam").create_role(RoleName="function", AssumeRolePolicyDocument="{}")["Role"]["Arn"]


@pytest.fixture
def client(runtime):
    return runtime.client("lambda")


@pytest.fixture
def name():
    return f"f-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def function(client, name, role):
    """Create the function ``name`` from source text."""

    def create(code: str, **overrides):
        request = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": role,
            "Handler": "handler.handler",
            "Code": {"ZipFile": zipped(handler=code)},
            "Timeout": 3,
            **overrides,
        }
        return client.create_function(**request)

    return create


@pytest.fixture
def invoke(client, name):
    """Invoke the function ``name``; returns (payload, FunctionError)."""

    def call(event=None, **options):
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event or {}), **options)
        body = answer["Payload"].read()
        return (json.loads(body) if body else None), answer.get("FunctionError")

    return call


@pytest.fixture
def eventually():
    """Poll until the call returns something true."""

    def wait(claim, timeout_seconds=15.0):
        deadline = time.monotonic() + timeout_seconds
        while not (found := claim()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return found

    return wait
