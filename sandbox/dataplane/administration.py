"""The sandbox's own calls, which only its server makes: routes, pace, clock, snapshots of REST APIs, metrics."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from sandbox.clock import BadClockError
from sandbox.dataplane.endpoints import BadRoutesError, Endpoints
from sandbox.dataplane.invoke import JSON
from sandbox.dataplane.metrics import Metrics
from sandbox.dataplane.pace import BadPaceError
from sandbox.dataplane.rest_apis import BadSnapshotError, RestApis
from serving.http_answer import Answer, refuse
from serving.http_head import RequestHead
from serving.http_server import Handler

_ENDPOINT = re.compile(r"/_sandbox/endpoints/(?P<name>[^/]+)")
_API = re.compile(r"/_sandbox/apis/(?P<api_id>[^/]+)/(?P<stage>[^/]+)")


class Administration:
    """Answers ``/_sandbox/...``."""

    def __init__(self, endpoints: Endpoints, apis: RestApis, metrics: Metrics) -> None:
        self._endpoints = endpoints
        self._apis = apis
        self._metrics = metrics

    def handler(self, head: RequestHead) -> Handler:
        """Return what answers requests with this head."""
        if match := _ENDPOINT.fullmatch(head.path):
            return self._endpoint(head.method, unquote(match["name"]))
        if match := _API.fullmatch(head.path):
            return self._api(head.method, unquote(match["api_id"]), unquote(match["stage"]))
        if (head.method, head.path) == ("GET", "/_sandbox/metrics"):
            since = float(parse_qs(head.query).get("since", ["0"])[0])
            return lambda _: _ok({**self._metrics.since(since), "in_flight": self._endpoints.in_flight()})
        if head.path == "/_sandbox/pace":
            return _handler(head.method, {"PUT": self._pace})
        if head.path == "/_sandbox/clock":
            return _handler(head.method, {"PUT": self._clock})
        return lambda _: refuse(404, f"{head.method} {head.path} is not a call of the data plane")

    async def _pace(self, body: bytes) -> dict[str, Any]:
        return self._endpoints.pace.put(orjson.loads(body))

    async def _clock(self, body: bytes) -> dict[str, Any]:
        return self._metrics.clock.follow(orjson.loads(body))

    def _endpoint(self, method: str, name: str) -> Handler:
        calls: dict[str, Callable[[bytes], Awaitable[dict[str, Any]]]] = {
            "PUT": lambda body: self._endpoints.put(name, orjson.loads(body)),
            "DELETE": lambda _: self._endpoints.delete(name),
        }
        return _handler(method, calls)

    def _api(self, method: str, api_id: str, stage: str) -> Handler:
        async def put(body: bytes) -> dict[str, Any]:
            self._apis.put(api_id, stage, orjson.loads(body))
            return {}

        async def delete(_: bytes) -> dict[str, Any]:
            self._apis.delete(api_id, stage)
            return {}

        return _handler(method, {"PUT": put, "DELETE": delete})


def _handler(method: str, calls: dict[str, Callable[[bytes], Awaitable[dict[str, Any]]]]) -> Handler:
    call = calls.get(method)
    if call is None:
        return lambda _: refuse(405, f"{method} is not one of {', '.join(calls)}")

    async def answer(body: bytes) -> Answer:
        try:
            return _ok(await call(body))
        except orjson.JSONDecodeError as error:
            return refuse(400, f"the body is not JSON: {error}")
        except (BadRoutesError, BadSnapshotError, BadPaceError, BadClockError) as error:
            return refuse(400, str(error))

    return answer


def _ok(document: dict[str, Any]) -> Answer:
    return Answer(200, JSON, orjson.dumps(document))
