"""What reaches an endpoint through a REST API, and what comes back; answers without any integration."""

import asyncio
import json
from typing import Any

import pytest

from serving.http_answer import Answer
from tests.unit.sandbox.dataplane.rest_apis.snapshots import JSON, method, sagemaker


def test_request_reaches_the_endpoint_and_comes_back(deploy: Any, call: Any, model: Any) -> None:
    deploy()
    model.answer = lambda head, body: Answer(200, b"application/jsonlines", b'{"score":0.5}\n')

    answer = call()

    assert (answer.status, answer.body) == (200, b'{"score":0.5}\n')
    assert answer.headers["Content-Type"] == "application/jsonlines"
    assert len(answer.headers["x-amzn-RequestId"]) == 36
    assert (model.calls[0].body, model.calls[0].head.headers["content-type"]) == (b"1,2,3", "text/csv")


def test_status_follows_the_selection_patterns(deploy: Any, call: Any, model: Any) -> None:
    deploy()
    model.answer = lambda head, body: Answer(400, JSON, b"bad row")

    assert call().status == 424  # ModelError has a pattern of its own
    model.die()
    assert call().status == 500  # ServiceUnavailable has none: the default


def test_status_without_a_response_is_a_configuration_error(deploy: Any, call: Any, model: Any) -> None:
    deploy(method(integration=sagemaker(responses=sagemaker()["responses"][:1])))
    model.answer = lambda head, body: Answer(400, JSON, b"bad row")

    answer = call()

    assert (answer.status, answer.message) == (500, "Internal server error")


def test_integration_that_takes_too_long_times_out(deploy: Any, call: Any, model: Any) -> None:
    deploy(method(integration=sagemaker(timeout_ms=200)))
    model.answer = lambda head, body: asyncio.Event().wait()  # for ever

    answer = call()

    assert (answer.status, answer.message) == (504, "Endpoint request timed out")


@pytest.mark.parametrize(
    ("passthrough", "templates", "content_type", "status"),
    [
        ("NEVER", {"text/csv": "$input.body"}, "text/csv; charset=utf-8", 200),
        ("NEVER", {"text/csv": "$input.body"}, "image/png", 415),
        ("NEVER", {}, "text/csv", 415),
        ("WHEN_NO_MATCH", {"text/csv": "$input.body"}, "image/png", 200),
        ("WHEN_NO_TEMPLATES", {"text/csv": "$input.body"}, "image/png", 415),
        ("WHEN_NO_TEMPLATES", {}, "image/png", 200),
    ],
)
def test_passthrough_decides_about_other_content_types(
    deploy: Any, call: Any, model: Any, passthrough: Any, templates: Any, content_type: Any, status: Any
) -> None:
    deploy(method(integration=sagemaker(passthrough=passthrough, templates=templates)))

    answer = call(Content_Type=content_type)

    assert answer.status == status
    assert answer.message == ("Unsupported Media Type" if status == 415 else None)
    assert len(model.calls) == (status == 200)


def test_template_makes_the_endpoints_payload(deploy: Any, call: Any, model: Any) -> None:
    template = '{"instances":[{"features":$input.json(\'$.row\')}],"stage":"$context.stage","v":"$stageVariables.v"}'
    deploy(
        method(integration=sagemaker(templates={"application/json": template})),
        stage_variables={"v": "7"},
    )

    call(b'{"row":[1,2,3]}', Content_Type="application/json")

    sent = json.loads(model.calls[0].body)
    assert sent == {"instances": [{"features": [1, 2, 3]}], "stage": "v1", "v": "7"}


def test_mock_answers_a_preflight(deploy: Any, call: Any) -> None:
    headers = {"method.response.header.Access-Control-Allow-Origin": "'*'"}
    response = {"status": "204", "pattern": None, "templates": {}, "parameters": headers}
    mock = {
        "type": "MOCK",
        "uri": None,
        "passthrough": "WHEN_NO_MATCH",
        "templates": {"application/json": "{ statusCode: 200 }"},
        "parameters": {},
        "timeout_ms": None,
        "responses": [response],
    }
    deploy(method("/invocations", "OPTIONS", mock))

    answer = call(b"", verb="OPTIONS", Content_Type="application/json")

    assert (answer.status, answer.headers["Access-Control-Allow-Origin"], answer.body) == (204, "*", b"")
