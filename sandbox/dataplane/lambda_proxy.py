"""AWS_PROXY integrations: the request as Lambda's proxy event, the function's answer as the response.

References
----------
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
https://repost.aws/knowledge-center/api-gateway-internal-server-error ("Invalid permissions on Lambda function" is 500)
"""

from __future__ import annotations

import asyncio
import base64
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.dataplane.gateway_responses import RejectedError
from sandbox.dataplane.upstream import TimedOutError, Upstream, UpstreamAnswer, UpstreamError
from serving.http_answer import Answer

if TYPE_CHECKING:
    from sandbox.dataplane.rest_method import Call

_NOT_INVOKED = frozenset({403, 404})  # Lambda's own: not permitted, and no such function
_NOT_PASSED = frozenset({"content-length", "connection", "transfer-encoding", "content-type"})


class LambdaProxy:
    """Invokes `function` (a name or an ARN) through the front."""

    def __init__(self, function: str, method: Mapping[str, Any], snapshot: Mapping[str, Any], front: Upstream) -> None:
        self._path = f"/2015-03-31/functions/{function}/invocations"
        self._region = snapshot["region"]
        self._variables = snapshot["stage_variables"] or None
        self._resource_id = method["resource_id"]
        self._timeout_seconds = (method["integration"]["timeout_ms"] or 29_000) / 1000
        self._front = front

    def prepare(self, call: Call) -> Callable[[bytes, Mapping[str, Any]], Awaitable[Answer]]:
        """Return what carries requests with the call's head."""
        unchanging = self._event(call)

        async def integrate(body: bytes, context: Mapping[str, Any]) -> Answer:
            event = {**unchanging, **_body(body), "requestContext": self._context(call, context)}
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    answer = await self._front.exchange(self._request(orjson.dumps(event)))
            except (TimeoutError, TimedOutError):
                raise RejectedError("INTEGRATION_TIMEOUT") from None
            except UpstreamError:
                raise RejectedError("INTEGRATION_FAILURE") from None
            return _answer(answer, context)

        return integrate

    def _request(self, event: bytes) -> bytes:
        credential = f"{'0' * 20}/20000101/{self._region}/lambda/aws4_request"  # names the service, proves nothing
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: lambda.{self._region}.amazonaws.com\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0\r\n"
            f"X-Amz-Invocation-Type: RequestResponse\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(event)}\r\n\r\n"
        )
        return head.encode() + event

    def _event(self, call: Call) -> dict[str, Any]:
        headers, queries = _multiple(call.head.raw_headers), _multiple(call.query_pairs)
        return {
            "resource": call.context["resourcePath"],
            "path": call.path,
            "httpMethod": call.head.method,
            "headers": _last(headers),
            "multiValueHeaders": headers or None,
            "queryStringParameters": _last(queries),
            "multiValueQueryStringParameters": queries or None,
            "pathParameters": dict(call.path_parameters) or None,
            "stageVariables": self._variables,
        }

    def _context(self, call: Call, context: Mapping[str, Any]) -> dict[str, Any]:
        now = time()
        return {
            **context,
            "resourceId": self._resource_id,
            "extendedRequestId": context["requestId"],
            "domainPrefix": context["apiId"],
            "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "requestTimeEpoch": int(now * 1000),
            "identity": {
                "sourceIp": "127.0.0.1",
                "userAgent": call.head.headers.get("user-agent"),
                "apiKey": call.head.headers.get("x-api-key"),
            },
        }


def _multiple(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    values: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        values[name].append(value)
    return dict(values)


def _last(values: Mapping[str, list[str]]) -> dict[str, str] | None:
    return {name: each[-1] for name, each in values.items()} or None


def _body(body: bytes) -> dict[str, Any]:
    if not body:
        return {"body": None, "isBase64Encoded": False}
    try:
        return {"body": body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _answer(answer: UpstreamAnswer, context: Mapping[str, Any]) -> Answer:
    """Return the function's answer; one that failed or is malformed is 502, one that is gone or not ours 500."""
    if answer.status == 429:
        raise RejectedError("THROTTLED")
    if answer.status in _NOT_INVOKED:
        raise RejectedError("API_CONFIGURATION_ERROR")
    if answer.status != 200 or "x-amz-function-error" in answer.headers:
        raise RejectedError("INTEGRATION_FAILURE")
    try:
        document = orjson.loads(answer.body)
        status, body = int(document["statusCode"]), document.get("body") or ""
        headers = [(name, str(value)) for name, value in (document.get("headers") or {}).items()]
        for name, values in (document.get("multiValueHeaders") or {}).items():
            headers = [each for each in headers if each[0].lower() != name.lower()]
            headers += [(name, str(value)) for value in values]
        content = base64.b64decode(body) if document.get("isBase64Encoded") else body.encode()
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        raise RejectedError("INTEGRATION_FAILURE") from None
    content_type = next((value for name, value in headers if name.lower() == "content-type"), "application/json")
    kept = [("x-amzn-RequestId", context["requestId"])]
    kept += [each for each in headers if each[0].lower() not in _NOT_PASSED]
    lines = "".join(f"{name}: {value}\r\n" for name, value in kept if "\r" not in value and "\n" not in value)
    return Answer(status, content_type.encode("latin-1"), content, lines.encode("latin-1", "replace"))
