"""Functions behind a REST API: the event they get, and what becomes of their answer."""

import json
from typing import Any

import pytest

from serving.http_answer import Answer
from tests.unit.sandbox.dataplane.rest_apis.snapshots import JSON, lambda_proxy, method


def test_function_gets_the_proxy_event(deploy: Any, call: Any, front: Any) -> None:
    front.answer = lambda head, body: Answer(200, JSON, b'{"statusCode":200,"body":"{}"}')
    deploy(method("/predictions", integration=lambda_proxy()), stage_variables={"colour": "blue"})

    call(b'{"a":1}', "/predictions?x=1&x=2&y=", Content_Type="application/json", X_Custom="Value")

    sent = front.calls[0]
    assert sent.head.path == (
        "/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:predict/invocations"
    )
    event = json.loads(sent.body)
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/predictions", "/predictions", "POST")
    assert (event["headers"]["X-Custom"], event["multiValueHeaders"]["X-Custom"]) == ("Value", ["Value"])
    assert event["queryStringParameters"] == {"x": "2", "y": ""}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [""]}
    assert (event["pathParameters"], event["stageVariables"]) == (None, {"colour": "blue"})
    assert (event["body"], event["isBase64Encoded"]) == ('{"a":1}', False)
    context = event["requestContext"]
    assert (context["stage"], context["apiId"], context["resourcePath"]) == ("v1", "api1", "/predictions")
    assert (context["accountId"], context["httpMethod"], context["path"]) == ("123456789012", "POST", "/v1/predictions")
    assert context["identity"]["sourceIp"] == "127.0.0.1"


def test_bytes_that_are_no_text_reach_the_function_as_base64(deploy: Any, call: Any, front: Any) -> None:
    front.answer = lambda head, body: Answer(200, JSON, b'{"statusCode":200}')
    deploy(method(integration=lambda_proxy()))

    call(b"\xff\xfe")

    event = json.loads(front.calls[0].body)
    assert (event["body"], event["isBase64Encoded"]) == ("//4=", True)


def test_functions_answer_becomes_the_response(deploy: Any, call: Any, front: Any) -> None:
    document = {
        "statusCode": 201,
        "headers": {"Content-Type": "text/plain", "X-One": "1"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
        "body": "aGVsbG8=",
        "isBase64Encoded": True,
    }
    front.answer = lambda head, body: Answer(200, JSON, json.dumps(document).encode())
    deploy(method(integration=lambda_proxy()))

    answer = call()

    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (201, b"hello", "text/plain")
    assert (answer.headers["X-One"], answer.headers.get_all("Set-Cookie")) == ("1", ["a=1", "b=2"])


@pytest.mark.parametrize(
    ("answered", "status"),
    [
        (Answer(200, JSON, b'{"errorMessage":"boom"}', b"X-Amz-Function-Error: Unhandled\r\n"), 502),
        (Answer(200, JSON, b'"just text"'), 502),
        (Answer(200, JSON, b'{"body":"no status"}'), 502),
        (Answer(200, JSON, b"not json"), 502),
        (Answer(503, JSON, b"{}"), 502),
        (Answer(404, JSON, b"{}"), 500),  # it is gone
        (Answer(403, JSON, b"{}"), 500),  # and may not be invoked
        (Answer(429, JSON, b"{}"), 429),
    ],
)
def test_function_without_an_answer_is_told_by_status(
    deploy: Any, call: Any, front: Any, answered: Any, status: Any
) -> None:
    front.answer = lambda head, body: answered
    deploy(method(integration=lambda_proxy()))

    answer = call()

    assert answer.status == status
    assert answer.message == ("Too Many Requests" if status == 429 else "Internal server error")


def test_front_that_is_gone_is_a_bad_gateway(deploy: Any, call: Any, front: Any) -> None:
    deploy(method(integration=lambda_proxy()))
    front.die()

    assert call().status == 502
