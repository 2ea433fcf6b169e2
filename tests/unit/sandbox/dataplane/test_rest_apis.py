"""REST APIs from pushed snapshots: who is let in, what is refused with which words, what reaches the integration."""

import asyncio
import json
import time
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from serving.http_answer import Answer

JSON = b"application/json"
CONTENT_TYPE = "integration.response.header.Content-Type"
CREDENTIALS = {"AKIATEST": "very-secret"}


def sagemaker(**changes: Any) -> Any:
    return {
        "type": "AWS",
        "uri": "arn:aws:apigateway:us-east-1:runtime.sagemaker:path/endpoints/kdd/invocations",
        "passthrough": "NEVER",
        "templates": {"text/csv": "$input.body", "application/json": "$input.body"},
        "parameters": {"integration.request.header.Content-Type": "method.request.header.Content-Type"},
        "timeout_ms": 29_000,
        "responses": [
            {
                "status": status,
                "pattern": pattern,
                "templates": {},
                "parameters": {"method.response.header.Content-Type": CONTENT_TYPE},
            }
            for status, pattern in (("200", r"2\d{2}"), ("424", "424"), ("500", None))
        ],
        **changes,
    }


def lambda_proxy(**changes: Any) -> Any:
    function = "arn:aws:lambda:us-east-1:123456789012:function:predict"
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    nothing = {"passthrough": "WHEN_NO_MATCH", "templates": {}, "parameters": {}, "responses": []}
    return {"type": "AWS_PROXY", "uri": uri, "timeout_ms": 29_000, **nothing, **changes}


def method(path: Any = "/invocations", verb: Any = "POST", integration: Any = None, **changes: Any) -> Any:
    return {
        "path": path,
        "resource_id": "r1",
        "method": verb,
        "authorization": "NONE",
        "api_key_required": False,
        "user_pools": [],
        "required_parameters": [],
        "body_models": {},
        "throttle": None,
        "integration": integration or sagemaker(),
        **changes,
    }


def snapshot(*methods: Any, **changes: Any) -> Any:
    return {
        "account_id": "123456789012",
        "region": "us-east-1",
        "deployment_id": "d1",
        "stage_variables": {},
        "methods": list(methods) or [method()],
        "models": {},
        "gateway_responses": {},
        "usage_plans": [],
        "credentials": CREDENTIALS,
        "user_pool_keys": {"keys": []},
        **changes,
    }


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

    async def late() -> Any:
        await asyncio.sleep(2)
        return Answer(200, JSON, b"{}")

    model.answer = lambda head, body: late()
    started = time.monotonic()

    answer = call()

    assert (answer.status, answer.message) == (504, "Endpoint request timed out")
    assert time.monotonic() - started < 1.5


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


def test_unknown_resource_or_method_is_missing_its_token(deploy: Any, call: Any, model: Any) -> None:
    deploy()

    for answer in (call(path="/nothing"), call(verb="GET"), call(path="/")):
        assert (answer.status, answer.message) == (403, "Missing Authentication Token")
        assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_unknown_stage_is_forbidden(plane: Any, deploy: Any, call: Any) -> None:
    answer = plane.call("POST", "/restapis/api1/v2/_user_request_/invocations", b"", {})
    assert (answer.status, json.loads(answer.body)) == (403, {"message": "Forbidden"})
    deploy()
    plane.call("DELETE", "/_sandbox/apis/api1/v1")

    assert call().message == "Forbidden"


def test_literal_paths_win_over_variables_and_those_over_greedy_ones(deploy: Any, call: Any, front: Any) -> None:
    answer = json.dumps({"statusCode": 200, "body": ""}).encode()
    front.answer = lambda head, body: Answer(200, JSON, answer)
    deploy(
        *(
            method(path, "ANY", lambda_proxy())
            for path in ("/{proxy+}", "/models/{name}", "/models/latest", "/models/{name}/rows/{row}")
        )
    )

    for path in ("/models/latest", "/models/a%20b", "/models/m/rows/7", "/any/thing/else"):
        assert call(path=path, verb="PUT").status == 200

    events = [json.loads(each.body) for each in front.calls]
    assert [(event["resource"], event["pathParameters"]) for event in events] == [
        ("/models/latest", None),
        ("/models/{name}", {"name": "a b"}),
        ("/models/{name}/rows/{row}", {"name": "m", "row": "7"}),
        ("/{proxy+}", {"proxy": "any/thing/else"}),
    ]


def test_swapped_snapshot_is_served_at_once(deploy: Any, call: Any, model: Any) -> None:
    deploy()
    assert call().status == 200
    deploy(method(api_key_required=True))

    assert call().status == 403


# API keys and throttling

PLAN = {"id": "plan1", "throttle": None, "quota": None, "keys": {"key-value-of-twenty-characters": "key1"}}


def test_api_key_of_a_plan_is_required(deploy: Any, call: Any, model: Any) -> None:
    deploy(method(api_key_required=True), usage_plans=[PLAN])

    without, wrong = call(), call(X_Api_Key="wrong")

    assert (without.status, without.message, wrong.status) == (403, "Forbidden", 403)
    assert without.headers["x-amzn-ErrorType"] == "ForbiddenException"
    assert call(X_Api_Key="key-value-of-twenty-characters").status == 200


def test_plan_throttles_and_its_bucket_survives_a_new_snapshot(deploy: Any, call: Any, model: Any) -> None:
    plan = PLAN | {"throttle": {"rate": 0.001, "burst": 2}}
    key = {"X_Api_Key": "key-value-of-twenty-characters"}
    deploy(method(api_key_required=True), usage_plans=[plan])

    assert [call(**key).status for _ in range(3)] == [200, 200, 429]
    deploy(method(api_key_required=True), usage_plans=[plan])
    answer = call(**key)

    assert (answer.status, answer.message) == (429, "Too Many Requests")
    assert answer.headers["x-amzn-ErrorType"] == "TooManyRequestsException"


def test_plans_quota_is_a_limit(deploy: Any, call: Any, model: Any) -> None:
    deploy(method(api_key_required=True), usage_plans=[PLAN | {"quota": {"limit": 1, "period": "MONTH"}}])
    key = {"X_Api_Key": "key-value-of-twenty-characters"}

    first, second = call(**key), call(**key)

    assert (first.status, second.status, second.message) == (200, 429, "Limit Exceeded")


def test_method_is_throttled_by_its_stage(deploy: Any, call: Any, model: Any) -> None:
    deploy(method(throttle={"rate": 0.001, "burst": 3}))

    assert [call().status for _ in range(4)] == [200, 200, 200, 429]
    assert len(model.calls) == 3


# IAM


def sign(
    plane: Any,
    body: Any = b"1,2,3",
    path: Any = "/invocations",
    query: Any = "",
    secret: Any = "very-secret",
    key: Any = "AKIATEST",
    **headers: Any,
) -> Any:
    url = f"http://127.0.0.1:{plane.port}/restapis/api1/v1/_user_request_{path}{query}"
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "text/csv", **headers})
    SigV4Auth(Credentials(key, secret), "execute-api", "us-east-1").add_auth(request)
    return dict(request.headers)


def test_signed_request_is_let_in(plane: Any, deploy: Any, model: Any) -> None:
    deploy(method(authorization="AWS_IAM"), method("/a b/{x}", authorization="AWS_IAM"))

    for path, query in (("/invocations", ""), ("/invocations", "?b=2&a=1&a=%20x"), ("/a%20b/c%3Ad", "?empty=")):
        headers = sign(plane, path=path, query=query)
        answer = plane.call("POST", f"/restapis/api1/v1/_user_request_{path}{query}", b"1,2,3", headers)
        assert answer.status == 200, (path, query, answer.body)


def test_unsigned_request_is_missing_its_token(deploy: Any, call: Any, model: Any) -> None:
    deploy(method(authorization="AWS_IAM"))

    answer = call()

    assert (answer.status, answer.message) == (403, "Missing Authentication Token")


@pytest.mark.parametrize(
    ("signing", "changes", "message"),
    [
        ({"secret": "wrong"}, {}, "signature we calculated does not match"),
        ({"key": "AKIAOTHER"}, {}, "security token included in the request is invalid"),
        ({"body": b"other"}, {}, "signature we calculated does not match"),
        ({}, {"X-Amz-Date": "20200101T000000Z"}, "not a signature for execute-api of x-amz-date"),
        ({}, {"Authorization": "Bearer token"}, "not a signature for execute-api"),
        ({}, {"Content-Type": "application/json"}, None),  # was not signed: botocore leaves it out
    ],
)
def test_signature_of_something_else_is_refused(
    plane: Any, deploy: Any, model: Any, signing: Any, changes: Any, message: Any
) -> None:
    deploy(method(authorization="AWS_IAM"))
    headers = sign(plane, **signing) | changes

    answer = plane.call("POST", "/restapis/api1/v1/_user_request_/invocations", b"1,2,3", headers)

    if message is None:
        assert "content-type" in headers["Authorization"] or answer.status == 200
    else:
        assert answer.status == 403
        assert message in json.loads(answer.body)["message"]
        assert model.calls == []


def test_old_signature_is_expired(plane: Any, deploy: Any, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(method(authorization="AWS_IAM"))
    headers = sign(plane)
    now = time.time()
    monkeypatch.setattr("sandbox.dataplane.rest_method.time", lambda: now + 400)

    answer = plane.call("POST", "/restapis/api1/v1/_user_request_/invocations", b"1,2,3", headers)

    assert answer.status == 403
    assert "Signature expired" in json.loads(answer.body)["message"]


# Validation

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


# Gateway responses


def test_own_gateway_response_replaces_the_usual_one(deploy: Any, call: Any, model: Any) -> None:
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
    with pytest.raises(json.JSONDecodeError):
        call(b"{}", Content_Type="application/json")


# Lambda


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


# MOCK, and what is refused


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


def test_everything_not_emulated_is_named_at_once_and_the_old_snapshot_stays(
    plane: Any, deploy: Any, call: Any, model: Any
) -> None:
    deploy()
    bad = snapshot(
        method("/a", integration={**sagemaker(), "type": "HTTP_PROXY", "uri": "https://example.com"}),
        method("/b", integration=sagemaker(templates={"text/csv": "#set($x = 1)$util.escapeJavaScript($x)"})),
        method("/c", authorization="CUSTOM"),
        method("/d", body_models={"application/json": {"type": "nonsense"}}),
        method("/e", integration=sagemaker(passthrough="SOMETIMES")),
    )

    answer = plane.call("PUT", "/_sandbox/apis/api1/v1", json.dumps(bad))

    assert answer.status == 400
    for part in ("HTTP_PROXY https://example.com", "#set", "$util", "CUSTOM", "no JSON schema", "SOMETIMES"):
        assert part in json.loads(answer.body)["message"]
    assert call().status == 200
