"""Which method of a pushed snapshot a request finds, and which snapshots are refused."""

import json
from typing import Any

from serving.http_answer import Answer
from tests.unit.sandbox.dataplane.rest_apis.snapshots import JSON, lambda_proxy, method, sagemaker, snapshot


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
