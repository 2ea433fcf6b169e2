"""Methods for callers with AWS credentials: only what is signed, by somebody known, for this and now."""

import json
import time
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.unit.sandbox.dataplane.rest_apis.snapshots import method


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
        ({}, {"X-Amz-Content-Sha256": "0" * 64}, "x-amz-content-sha256 is not the hash of the body"),
        ({}, {"Authorization": "Bearer token"}, "not a signature for execute-api"),
        ({}, {"Content-Type": "application/json"}, "signature we calculated does not match"),
    ],
)
def test_signature_of_something_else_is_refused(
    plane: Any, deploy: Any, model: Any, signing: Any, changes: Any, message: Any
) -> None:
    deploy(method(authorization="AWS_IAM"))
    headers = sign(plane, **signing) | changes

    answer = plane.call("POST", "/restapis/api1/v1/_user_request_/invocations", b"1,2,3", headers)

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
