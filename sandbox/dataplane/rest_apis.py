"""Deployed REST APIs: one snapshot a stage, which is what that stage's deployment froze.

A snapshot is pushed whole and compiled once::

    {"account_id", "region", "deployment_id", "stage_variables": {name: value},
     "methods": [{"path", "resource_id", "method", "authorization", "api_key_required", "user_pools": [ARN],
                  "required_parameters": [...],
                  "body_models": {media type: schema}, "throttle": {"rate", "burst"} | None,
                  "integration": {"type", "uri", "passthrough", "templates", "parameters", "timeout_ms",
                                  "responses": [{"status", "pattern", "templates", "parameters"}]}}],
     "models": {name: schema}, "gateway_responses": {type: {"status", "templates", "parameters"}},
     "usage_plans": [{"id", "throttle", "quota", "keys": {value: id}}], "credentials": {access key id: secret},
     "user_pool_keys": JSON Web Key Set}
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

from sandbox.dataplane.capture import Captures
from sandbox.dataplane.endpoints import Endpoints
from sandbox.dataplane.gateway_responses import GatewayResponses, RejectedError
from sandbox.dataplane.ids import new_id
from sandbox.dataplane.integrations import BadIntegrationError, Integrations
from sandbox.dataplane.invoke import Invoker, Place
from sandbox.dataplane.json_models import BadModelError
from sandbox.dataplane.metrics import Metrics
from sandbox.dataplane.permission import Permissions
from sandbox.dataplane.rest_method import Call, Method, UsagePlan
from sandbox.dataplane.templates import BadTemplateError
from sandbox.dataplane.throttling import Limits
from sandbox.dataplane.upstream import Upstream
from serving.http_head import RequestHead
from serving.http_server import Handler

_VARIABLE = re.compile(r"\{(\w[\w.-]*)(\+?)\}")


class BadSnapshotError(ValueError):
    """A snapshot with what the sandbox does not emulate; the message lists all of it."""


class RestApis:
    """Every stage.

    Parameters
    ----------
    integrations : Integrations
        Make integrations from their definitions.

    Attributes
    ----------
    changed : Callable
        Called when a stage has changed: handlers given out before are outdated.
    """

    def __init__(self, integrations: Integrations) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._integrations = integrations
        self._stages: dict[tuple[str, str], _Stage] = {}
        self._limits = Limits()
        self._unknown_stage = GatewayResponses({})

    def put(self, api_id: str, stage: str, snapshot: dict[str, Any]) -> None:
        """Serve `snapshot` under `stage` from now on; raises BadSnapshotError and leaves what was served."""
        self._stages[api_id, stage] = _Stage(api_id, stage, snapshot, self._integrations, self._limits)
        self.changed()

    def delete(self, api_id: str, stage: str) -> None:
        """Serve the stage no more."""
        self._stages.pop((api_id, stage), None)
        self.changed()

    def handler(self, api_id: str, stage: str, path: str, head: RequestHead) -> Handler:
        """Return what answers requests with this head, `path` being what follows the stage."""
        served = self._stages.get((api_id, stage))
        if served is None:
            rejected = RejectedError("INVALID_API_KEY")  # as API Gateway words it: {"message":"Forbidden"}
            return lambda _: self._unknown_stage.answer(rejected, {"requestId": new_id()})
        return served.handler(path, head)


def check_snapshot(api_id: str, snapshot: dict[str, Any]) -> None:
    """Raise BadSnapshotError where a data plane would not serve `snapshot`."""
    nowhere = Upstream(0, timeout_seconds=1.0)  # compiled only, never called
    place = Place(snapshot["account_id"], snapshot["region"])
    invoker = Invoker(Endpoints(Metrics()), place, Permissions(nowhere, place.region), Captures(nowhere))
    integrations = Integrations(invoker, nowhere)
    _Stage(api_id, "any", snapshot, integrations, Limits())


class _Stage:
    def __init__(
        self, api_id: str, stage: str, snapshot: dict[str, Any], integrations: Integrations, limits: Limits
    ) -> None:
        problems: list[str] = []
        self._context = {
            "accountId": snapshot["account_id"],
            "apiId": api_id,
            "stage": stage,
            "protocol": "HTTP/1.1",
            "domainName": f"{api_id}.execute-api.{snapshot['region']}.amazonaws.com",
        }
        try:
            self._gateway = GatewayResponses(snapshot["gateway_responses"])
        except BadTemplateError as error:
            problems.append(str(error))
        plans = [UsagePlan.compile(each, limits, api_id, stage) for each in snapshot["usage_plans"]]
        self._methods: list[tuple[re.Pattern[str], dict[str, Method]]] = []
        by_path: dict[str, dict[str, Method]] = {}
        for each in snapshot["methods"]:
            bucket = limits.bucket(each["throttle"], api_id, stage, each["path"], each["method"])
            try:
                method = Method(each, snapshot, plans, bucket, integrations)
            except (BadTemplateError, BadIntegrationError, BadModelError) as error:
                problems.append(f"{each['method']} {each['path']}: {error}")
                continue
            by_path.setdefault(each["path"], {})[each["method"]] = method
        if problems:
            raise BadSnapshotError(f"API {api_id}, stage {stage}: " + "; ".join(problems))
        self._methods = [(_pattern(path), by_path[path]) for path in sorted(by_path, key=_specificity)]

    def handler(self, path: str, head: RequestHead) -> Handler:
        method, variables, resource_path = self._find(path, head.method)
        context = {**self._context, "httpMethod": head.method, "path": f"/{self._context['stage']}{path}"}
        if method is None:
            rejected = RejectedError("MISSING_AUTHENTICATION_TOKEN")  # API Gateway's word for an unknown resource
            return lambda _: self._gateway.answer(rejected, {**context, "requestId": new_id()})
        context["resourcePath"] = resource_path
        return method.handler(Call(head, path, variables, context), self._gateway)

    def _find(self, path: str, verb: str) -> tuple[Method | None, dict[str, str], str]:
        for pattern, methods in self._methods:
            if match := pattern.fullmatch(path.rstrip("/") or "/"):
                method = methods.get(verb) or methods.get("ANY")
                variables = {name: unquote(value) for name, value in match.groupdict().items()}
                return method, variables, method.path if method else ""
        return None, {}, ""


def _pattern(path: str) -> re.Pattern[str]:
    """Return what matches a path as it is sent: a slash within a segment stays encoded."""
    parts, start = [], 0
    for match in _VARIABLE.finditer(path):
        parts += [_literal(path[start : match.start()]), f"(?P<{match[1]}>{'.+' if match[2] else '[^/]+'})"]
        start = match.end()
    return re.compile("".join(parts) + _literal(path[start:]))


def _literal(path: str) -> str:
    return re.escape(quote(path, safe="/-_.~!$&'()*+,;=:@"))


def _specificity(path: str) -> list[int]:
    """Sort literal segments before variables, and those before greedy ones."""
    return [2 if part.endswith("+}") else int(part.startswith("{")) for part in path.split("/")]
