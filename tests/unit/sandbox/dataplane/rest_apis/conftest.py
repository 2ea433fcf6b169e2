"""A REST API in the data plane, calls to it, and the model server behind it."""

import json
from typing import Any

import pytest

from tests.unit.sandbox.dataplane.rest_apis.snapshots import snapshot


@pytest.fixture
def deploy(plane: Any) -> Any:
    return lambda *methods, **changes: plane.put("apis/api1/v1", snapshot(*methods, **changes))


@pytest.fixture
def call(plane: Any) -> Any:
    def post(body: Any = b"1,2,3", path: Any = "/invocations", verb: Any = "POST", **headers: Any) -> Any:
        headers = {"Content-Type": "text/csv"} | {name.replace("_", "-"): value for name, value in headers.items()}
        answer = plane.call(verb, f"/restapis/api1/v1/_user_request_{path}", body, headers)
        answer.message = json.loads(answer.body).get("message") if answer.status >= 400 else None
        return answer

    return post


@pytest.fixture
def model(plane: Any, make_server: Any) -> Any:
    server = make_server()
    plane.route(main=[server])
    return server
