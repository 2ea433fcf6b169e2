"""InvokeEndpoint, in the wire format of the SageMaker runtime.

Not here: InvokeEndpointAsync, InvokeEndpointWithResponseStream, TargetModel and inference components; they are refused.
The caller's signature is not checked, as the front does not check it either; whether a role may invoke is.

References
----------
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from sandbox.dataplane.capture import Captures, Exchange
from sandbox.dataplane.endpoints import Endpoints, NoInstanceError, Variant
from sandbox.dataplane.ids import new_id
from sandbox.dataplane.permission import Permissions
from sandbox.dataplane.upstream import BrokenError, TimedOutError, UpstreamAnswer
from sandbox.sessions import session_of
from serving.http_answer import Answer

MAX_PAYLOAD_BYTES = 6_291_456
JSON = b"application/json"
_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_PASSED = ("content-type", "accept", _ATTRIBUTES, "x-amzn-sagemaker-inference-id")
_NOT_EMULATED = (
    "x-amzn-sagemaker-target-model",
    "x-amzn-sagemaker-target-container-hostname",
    "x-amzn-sagemaker-inference-component",
    "x-amzn-sagemaker-session-id",
)


@dataclass(frozen=True)
class Place:
    """Where the sandbox pretends to be."""

    account_id: str
    region: str


class Invoker:
    """Invokes endpoints, for callers of the runtime and for REST APIs alike."""

    def __init__(self, endpoints: Endpoints, place: Place, permissions: Permissions, captures: Captures) -> None:
        self._endpoints = endpoints
        self._place = place
        self._permissions = permissions
        self._captures = captures

    def prepare(
        self, name: str, headers: Mapping[str, str], role_arn: str | None = None
    ) -> Callable[[bytes], Awaitable[Answer]]:
        """Return what invokes endpoint `name` with these headers (lower case): it takes the payload.

        Parameters
        ----------
        role_arn : str, optional
            Who invokes; by default whoever signed the request.
        """
        caller = role_arn or session_of(headers.get("authorization"))
        refused = [each for each in _NOT_EMULATED if each in headers]
        request_head = _request_head(headers)
        target = headers.get("x-amzn-sagemaker-target-variant")

        async def invoke(payload: bytes) -> Answer:
            if refused:
                return _error(400, "ValidationError", f"The sandbox does not emulate {', '.join(refused)}")
            if len(payload) > MAX_PAYLOAD_BYTES:
                return _error(413, "RequestEntityTooLarge", f"The payload is larger than {MAX_PAYLOAD_BYTES} bytes")
            if caller and (refusal := await self._permissions.refusal(caller, name)):
                return _error(403, "AccessDeniedException", refusal)
            variant = self._variant(name, target)
            if isinstance(variant, Answer):
                return variant
            request = b"%b%d\r\n\r\n%b" % (request_head, len(payload), payload)
            endpoint = self._endpoints.get(name)
            if endpoint:
                endpoint.mirror(request)
            answer = await self._invoke(name, variant, request)
            if endpoint and endpoint.capture and answer.status == 200:
                content_type, got = answer.content_type.decode("latin-1"), answer.body
                exchange = Exchange(headers.get("content-type", "application/json"), payload, content_type, got)
                self._captures.note(endpoint.capture, name, variant.name, exchange)
            return answer

        return invoke

    def _variant(self, name: str, target: str | None) -> Variant | Answer:
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            message = f"Endpoint {name} of account {self._place.account_id} not found."
            return _error(400, "ValidationError", message)
        if target is None:
            return endpoint.choose()
        variant = endpoint.variants.get(target)
        if variant is None:
            return _error(400, "ValidationError", f"Variant {target} not found for Request")
        return variant

    async def _invoke(self, name: str, variant: Variant, request: bytes) -> Answer:
        try:
            answer = await variant.invoke(request)
        except NoInstanceError:
            return _error(503, "ServiceUnavailable", f"No instance of variant {variant.name} of {name} is in service")
        except TimedOutError:
            text = "Your invocation timed out while waiting for a response from container primary"
            return self._model_error(name, 0, text)
        except BrokenError:
            return self._model_error(name, 0, "The container closed the connection without an answer")
        if not 200 <= answer.status < 300:
            return self._model_error(name, answer.status, answer.body.decode(errors="replace"))
        return Answer(200, *_content(answer), _answer_headers(variant, answer))

    def _model_error(self, name: str, status: int, text: str) -> Answer:
        """Return ModelError: what the container said, whatever its status, reaches the caller as 424."""
        place = self._place
        kind = "client" if 400 <= status < 500 else "server"
        group = f"/aws/sagemaker/Endpoints/{name}"
        link = f"https://{place.region}.console.aws.amazon.com/cloudwatch/home?region={place.region}"
        message = (
            f'Received {kind} error ({status}) from primary with message "{text}". '
            f"See {link}#logEventViewer:group={group} in account {place.account_id} for more information."
        )
        document = {
            "ErrorCode": "CLIENT_ERROR_FROM_MODEL" if kind == "client" else "SERVER_ERROR_FROM_MODEL",
            "LogStreamArn": f"arn:aws:logs:{place.region}:{place.account_id}:log-group:{group}",
            "Message": message,
            "OriginalMessage": text,
            "OriginalStatusCode": status,
        }
        return Answer(424, JSON, orjson.dumps(document), _error_headers("ModelError"))


def _request_head(headers: Mapping[str, str]) -> bytes:
    """Return the container's request up to the value of Content-Length; equal callers give equal bytes."""
    lines = "".join(f"{name}: {headers[name]}\r\n" for name in _PASSED if name in headers)
    return f"POST /invocations HTTP/1.1\r\nhost: model\r\n{lines}content-length: ".encode("latin-1")


def _content(answer: UpstreamAnswer) -> tuple[bytes, bytes]:
    return answer.headers.get("content-type", "application/octet-stream").encode("latin-1"), answer.body


def _answer_headers(variant: Variant, answer: UpstreamAnswer) -> bytes:
    attributes = answer.headers.get(_ATTRIBUTES)
    line = f"X-Amzn-SageMaker-Custom-Attributes: {attributes}\r\n" if attributes else ""
    return (
        f"x-amzn-RequestId: {new_id()}\r\nx-Amzn-Invoked-Production-Variant: {quote(variant.name)}\r\n{line}"
    ).encode("latin-1")


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, JSON, orjson.dumps({"Message": message}), _error_headers(code))


def _error_headers(code: str) -> bytes:
    return f"x-amzn-RequestId: {new_id()}\r\nx-amzn-ErrorType: {code}\r\n".encode()
