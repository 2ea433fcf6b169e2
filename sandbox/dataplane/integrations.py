"""Integrations of REST APIs: the SageMaker runtime (AWS), Lambda (AWS_PROXY) and MOCK; others are refused by name.

References
----------
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/integration-passthrough-behaviors.html
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from sandbox.dataplane.deadlines import Deadlines
from sandbox.dataplane.gateway_responses import RejectedError
from sandbox.dataplane.integration_responses import IntegrationResponses
from sandbox.dataplane.invoke import Invoker
from sandbox.dataplane.lambda_proxy import LambdaProxy
from sandbox.dataplane.templates import Template, TemplateInput
from sandbox.dataplane.upstream import Upstream
from serving.http_answer import Answer

if TYPE_CHECKING:
    from sandbox.dataplane.rest_method import Call

Integrate = Callable[[bytes, Mapping[str, Any]], Awaitable[Answer]]

_SAGEMAKER = re.compile(r"arn:[\w-]+:apigateway:[\w-]+:runtime\.sagemaker:path/+endpoints/(?P<name>[^/]+)/invocations")
_LAMBDA = re.compile(r"arn:[\w-]+:apigateway:[\w-]+:lambda:path/2015-03-31/functions/(?P<function>[^/]+)/invocations")
_STATUS_CODE = re.compile(rb"['\"]?statusCode['\"]?\s*:\s*['\"]?(\d{3})")
_HEADER = "integration.request.header."
_PASSTHROUGHS = ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER")


class BadIntegrationError(ValueError):
    """An integration, or an authorization, that the sandbox does not emulate."""


class Integration(Protocol):
    """Where a method's requests go."""

    def prepare(self, call: Call) -> Integrate:
        """Return what carries requests with this head, given body and ``$context``; may raise RejectedError."""


class Integrations:
    """Makes integrations.

    Parameters
    ----------
    invoker : Invoker
        Invokes endpoints.
    front : Upstream
        The sandbox's front, for Lambda's Invoke API.
    """

    def __init__(self, invoker: Invoker, front: Upstream) -> None:
        self._invoker = invoker
        self._front = front

    def make(self, method: Mapping[str, Any], snapshot: Mapping[str, Any]) -> Integration:
        """Return the integration of a snapshot's method.

        Raises
        ------
        BadIntegrationError, BadTemplateError
        """
        document = method["integration"]
        kind, uri = document["type"], document["uri"] or ""
        if kind == "MOCK":
            return _Mock(document, snapshot)
        if kind == "AWS" and (match := _SAGEMAKER.fullmatch(uri)):
            return _SageMaker(unquote(match["name"]), document, snapshot, self._invoker)
        if kind == "AWS_PROXY" and (match := _LAMBDA.fullmatch(uri)):
            return LambdaProxy(match["function"], method, snapshot, self._front)
        raise BadIntegrationError(
            f"integration {kind} {uri} is not emulated; AWS with runtime.sagemaker, AWS_PROXY with Lambda and MOCK are"
        )


class _RequestTemplates:
    """Chooses and renders an integration's request template."""

    def __init__(self, document: Mapping[str, Any], snapshot: Mapping[str, Any]) -> None:
        self._templates = {media.lower(): Template(text) for media, text in (document["templates"] or {}).items()}
        self._passthrough = document["passthrough"] or "WHEN_NO_MATCH"
        self._variables = snapshot["stage_variables"]
        if self._passthrough not in _PASSTHROUGHS:
            raise BadIntegrationError(f"passthrough {self._passthrough!r} is unknown, {', '.join(_PASSTHROUGHS)} are")

    def choose(self, call: Call) -> Callable[[bytes, Mapping[str, Any]], bytes] | None:
        """Return what makes the integration's body, or None where the method's body goes as it is."""
        template = self._templates.get(call.media_type)
        if template is None:
            if self._passthrough == "NEVER" or (self._passthrough == "WHEN_NO_TEMPLATES" and self._templates):
                raise RejectedError("UNSUPPORTED_MEDIA_TYPE")
            return None
        if template.is_body:
            return None
        parameters = {**dict(call.head.raw_headers), **dict(call.query_pairs), **call.path_parameters}

        def render(body: bytes, context: Mapping[str, Any]) -> bytes:
            given = TemplateInput(body, context, parameters, self._variables)
            return template.render(given)

        return render


class _SageMaker:
    """InvokeEndpoint, in the same process."""

    def __init__(
        self, endpoint: str, document: Mapping[str, Any], snapshot: Mapping[str, Any], invoker: Invoker
    ) -> None:
        self._endpoint = endpoint
        self._invoker = invoker
        self._role_arn: str | None = document.get("credentials")
        self._templates = _RequestTemplates(document, snapshot)
        self._responses = IntegrationResponses(document["responses"])
        self._deadlines = Deadlines((document["timeout_ms"] or 29_000) / 1000)
        self._headers: dict[str, str] = {}
        for target, source in (document["parameters"] or {}).items():
            if not target.startswith(_HEADER) or not re.fullmatch(r"method\.request\.\w+\..+|'.*'", source):
                raise BadIntegrationError(f"parameter {target}={source} is not emulated, headers from the request are")
            self._headers[target.removeprefix(_HEADER).lower()] = source

    def prepare(self, call: Call) -> Integrate:
        headers = {"content-type": "application/json", **self._mapped(call)}
        invoke = self._invoker.prepare(self._endpoint, headers, self._role_arn)
        render, select, deadlines = self._templates.choose(call), self._responses.answer, self._deadlines

        async def integrate(body: bytes, context: Mapping[str, Any]) -> Answer:
            payload = body if render is None else render(body, context)
            try:
                answer = await deadlines.wait_for(invoke(payload))
            except TimeoutError:
                raise RejectedError("INTEGRATION_TIMEOUT") from None
            return select(answer, context)

        return integrate

    def _mapped(self, call: Call) -> dict[str, str]:
        values = {
            name: source[1:-1] if source.startswith("'") else call.parameter(source.removeprefix("method.request."))
            for name, source in self._headers.items()
        }
        return {name: value for name, value in values.items() if value is not None}


class _Mock:
    """Answers with the status that its request template names."""

    def __init__(self, document: Mapping[str, Any], snapshot: Mapping[str, Any]) -> None:
        self._templates = _RequestTemplates(document, snapshot)
        self._responses = IntegrationResponses(document["responses"])

    def prepare(self, call: Call) -> Integrate:
        render = self._templates.choose(call)

        async def integrate(body: bytes, context: Mapping[str, Any]) -> Answer:
            match = _STATUS_CODE.search(body if render is None else render(body, context))
            if match is None:
                raise RejectedError("API_CONFIGURATION_ERROR")
            return self._responses.answer(Answer(int(match[1]), b"application/json", b""), context)

        return integrate
