"""Lambda's client and a shorthand for Invoke."""

from __future__ import annotations

import json
from typing import Any

import pytest


@pytest.fixture
def client(runtime: Any) -> Any:
    return runtime.client("lambda")


@pytest.fixture
def invoke(client: Any, name: Any) -> Any:
    """Invoke the function ``name``; returns (payload, FunctionError)."""

    def call(event: Any = None, **options: Any) -> Any:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event or {}), **options)
        body = answer["Payload"].read()
        return (json.loads(body) if body else None), answer.get("FunctionError")

    return call
