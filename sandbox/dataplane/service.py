"""What the data plane serves: endpoints, REST APIs, and the sandbox's own administration."""

from __future__ import annotations

import re
from urllib.parse import unquote

import orjson

from sandbox.dataplane.administration import Administration
from sandbox.dataplane.invoke import JSON, Invoker
from sandbox.dataplane.rest_apis import RestApis
from serving.http_answer import Answer, refuse
from serving.http_head import RequestHead
from serving.http_server import Handler

_INVOKE = re.compile(r"/endpoints/(?P<name>[^/]+)/invocations")
_REST = re.compile(r"/restapis/(?P<api_id>[^/]+)/(?P<stage>[^/]+)/_user_request_(?P<path>/.*)?")
_ADMINISTRATION = "/_sandbox/"


class DataPlane:
    """Chooses who answers, by path."""

    max_body_bytes = 10 * 1024 * 1024  # API Gateway's limit; InvokeEndpoint checks its own

    def __init__(self, invoker: Invoker, apis: RestApis, administration: Administration) -> None:
        self._invoker = invoker
        self._apis = apis
        self._administration = administration

    def handler(self, head: RequestHead) -> Handler:
        """Return what answers requests with this head."""
        if match := _INVOKE.fullmatch(head.path):
            if head.method != "POST":
                return _always(refuse(405, f"InvokeEndpoint is a POST, not a {head.method}", b"Allow: POST\r\n"))
            return self._invoker.prepare(unquote(match["name"]), head.headers)
        if match := _REST.fullmatch(head.path):
            return self._apis.handler(match["api_id"], match["stage"], match["path"] or "/", head)
        if head.path.startswith(_ADMINISTRATION):
            return self._administration.handler(head)
        return _always(_unknown(head))


def _unknown(head: RequestHead) -> Answer:
    message = f"The sandbox's data plane does not know {head.method} {head.path}"
    headers = b"x-amzn-ErrorType: UnknownOperationException\r\n"
    return Answer(404, JSON, orjson.dumps({"message": message}), headers)


def _always(answer: Answer) -> Handler:
    return lambda _: answer
