"""Requests that are refused before they reach an integration, and how an API words that."""

import json
from typing import Any

import pytest

from tests.unit.sandbox.dataplane.rest_apis.snapshots import method

SCHEMA = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "required": ["records"],
    "properties": {
        "records": {
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "https://apigateway.amazonaws.com/restapis/api1/models/Record"},
        }
    },
}
RECORD = {"type": "object", "properties": {"duration": {"type": "number"}}, "required": ["duration"]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"records":[{"duration":1.5}]}', 200),
        (b'{"records":[{"duration":"long"}]}', 400),
        (b'{"records":[{}]}', 400),
        (b'{"records":[]}', 400),
        (b"{}", 400),
        (b"{", 400),
        (b"", 400),
    ],
)
def test_body_is_validated_against_its_model(deploy: Any, call: Any, model: Any, body: Any, status: Any) -> None:
    deploy(method(body_models={"application/json": SCHEMA}), models={"Record": RECORD})

    answer = call(body, Content_Type="application/json")

    assert answer.status == status
    assert answer.message == (None if status == 200 else "Invalid request body")


def test_body_of_a_type_without_model_is_not_validated(deploy: Any, call: Any, model: Any) -> None:
    deploy(method(body_models={"application/json": SCHEMA}), models={"Record": RECORD})

    assert call(b"anything").status == 200


def test_missing_parameters_are_named(deploy: Any, call: Any, model: Any) -> None:
    deploy(method(required_parameters=["header.X-Tenant", "querystring.version"]))

    answer = call()

    assert (answer.status, answer.message) == (400, "Missing required request parameters: [X-Tenant, version]")
    assert call(path="/invocations?version=1", X_Tenant="t").status == 200


def test_own_gateway_response_replaces_the_usual_one(plane: Any, deploy: Any, call: Any) -> None:
    custom = {
        "DEFAULT_4XX": {
            "status": None,
            "templates": {"application/json": '{"error":$context.error.messageString,"id":"$context.requestId"}'},
            "parameters": {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"},
        },
        "BAD_REQUEST_BODY": {
            "status": "422",
            "templates": {"text/plain": "$context.error.validationErrorString"},
            "parameters": {},
        },
    }
    deploy(method(body_models={"application/json": RECORD}), gateway_responses=custom)

    unknown = call(path="/x")
    document = json.loads(unknown.body)
    assert (document["error"], len(document["id"])) == ("Missing Authentication Token", 36)
    assert unknown.headers["Access-Control-Allow-Origin"] == "*"
    headers = {"Content-Type": "application/json"}
    invalid = plane.call("POST", "/restapis/api1/v1/_user_request_/invocations", b"{}", headers)
    assert (invalid.status, invalid.headers["Content-Type"]) == (422, "text/plain")
    assert b"duration" in invalid.body
