"""Lambda's client and a shorthand for Invoke."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def client(runtime):
    return runtime.client("lambda")


@pytest.fixture
def invoke(client, name):
    """Invoke the function ``name``; returns (payload, FunctionError)."""

    def call(event=None, **options):
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event or {}), **options)
        body = answer["Payload"].read()
        return (json.loads(body) if body else None), answer.get("FunctionError")

    return call
