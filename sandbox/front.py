"""The front: one WSGI application for every AWS API, the sandbox's own paths, and what is forwarded to the data plane.

moto raises where it has no implementation. The CDK CLI and the SDKs retry a status 500 for a minute and more, so
whatever escapes a service is answered with status 400 and its reason, in the protocol of the request.
"""

from __future__ import annotations

import http.client
import json
import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from xml.sax.saxutils import escape

from moto.backends import SERVICE_NAMES
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from sandbox import permissions, scaler
from sandbox.cloudformation import custom_resources
from sandbox.permissions.authorizer import AccessDeniedError
from sandbox.runtime import Runtime

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Wsgi = Callable[[Any, Any], Iterable[bytes]]

_FORWARDED = re.compile(r"/endpoints/[^/]+/invocations|/restapis/[^/]+/[^/]+/_user_request_(/.*)?")
_OWN = "/_sandbox/"
_CFN_RESPONSE = re.compile(r"/_sandbox/cfn-response/(?P<token>[0-9a-f-]+)")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
_FIRST_SERVICES: tuple[SERVICE_NAMES, ...] = ("sts", "cloudformation", "s3", "iam", "ssm", "ecr", "kms", "logs")
_WAITING_SERVICES = ("awslambda", "sagemaker", "stepfunctions", "cloudformation", "sqs")
FORWARD_TIMEOUT_SECONDS = 65.0  # InvokeEndpoint answers within 60 s
_log = logging.getLogger(__name__)


class Front:
    """The WSGI application.

    Parameters
    ----------
    runtime : Runtime
        Knows the data plane.
    status : Callable
        What ``/_sandbox/status`` answers.
    """

    def __init__(self, runtime: Runtime, status: Callable[[], Mapping[str, Any]]) -> None:
        self._runtime = runtime
        self._status = status
        self._services = DomainDispatcherApplication(_create_service)

    def warm_up(self) -> None:
        """Load the services that the first deployment needs, while the CDK CLI is still starting."""
        for service in _FIRST_SERVICES:
            with self._services.lock:  # moto's own: modules that import each other must load in one thread
                self._services.app_instances.setdefault(service, _create_service(service))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        if path.startswith(_OWN):
            return self._own(path, environ, start_response)
        if _FORWARDED.fullmatch(path):
            return self._forward(environ, start_response)
        try:
            answer: Iterable[bytes] = self._services(environ, start_response)
        except AccessDeniedError as error:
            return _deny(environ, start_response, error)
        except Exception as error:
            return _refuse(environ, start_response, error)
        return answer

    def _own(self, path: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer what is no API of AWS."""
        if path == f"{_OWN}status":
            return _answer(start_response, "200 OK", self._status())
        if path == f"{_OWN}scaling":
            return _scaling(environ, start_response)
        if path == f"{_OWN}permission":
            return _answer(start_response, "200 OK", permissions.decide(json.loads(_body(environ))))
        match = _CFN_RESPONSE.fullmatch(path)
        known = bool(match and custom_resources.answer(match["token"], _body(environ)))
        return _answer(start_response, "200 OK" if known else "404 Not Found", {})

    def _forward(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        headers = {  # Host among them: a signature covers it
            name.removeprefix("HTTP_").replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_") or name == "CONTENT_TYPE"
        }
        connection = http.client.HTTPConnection("127.0.0.1", self._runtime.dataplane_port, FORWARD_TIMEOUT_SECONDS)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
            connection.request(environ["REQUEST_METHOD"], environ["REQUEST_URI"], _body(environ), kept)
            answer = connection.getresponse()
            body = answer.read()
        except OSError as error:
            return _refuse(environ, start_response, error)
        finally:
            connection.close()
        answered = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP]
        start_response(f"{answer.status} {answer.reason}", [*answered, ("Content-Length", str(len(body)))])
        return [body]


def _create_service(service: SERVICE_NAMES) -> Any:
    """Create moto's application of one service, which answers one request at a time.

    moto keeps its state in plain dictionaries and a server calls it from many threads: one request walks what
    another changes. A service whose requests wait for others is left to the locks of its room.
    """
    application: Any = create_backend_app(service)
    if service not in _WAITING_SERVICES:
        application.wsgi_app = _one_at_a_time(application.wsgi_app)
    return application


def _one_at_a_time(answer: Wsgi) -> Wsgi:
    lock = threading.Lock()

    def locked(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        with lock:
            return answer(environ, start_response)

    return locked


def _body(environ: Environ) -> bytes:
    chunked = environ.get("wsgi.input_terminated", False)  # then the end of the input is that of the body
    length = -1 if chunked else int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    return body


def _scaling(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    try:
        document = json.loads(_body(environ)) if environ["REQUEST_METHOD"] == "PUT" else None
        return _answer(start_response, "200 OK", scaler.conditions(document))
    except ValueError as error:
        return _answer(start_response, "400 Bad Request", {"message": str(error)})


def _answer(start_response: StartResponse, status: str, document: Mapping[str, Any]) -> Iterable[bytes]:
    body = json.dumps(document, default=str).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _deny(environ: Environ, start_response: StartResponse, error: AccessDeniedError) -> Iterable[bytes]:
    """Answer AccessDenied in the words and the protocol of the service: S3's own XML, XML or JSON."""
    _log.warning("%s", error)
    element = f"<Code>AccessDenied</Code><Message>{escape(str(error))}</Message>"
    code = "AccessDenied"
    if error.service == "s3":
        body, content_type = f"<Error>{element}</Error>".encode(), "application/xml"
    elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body, content_type = f"<ErrorResponse><Error>{element}</Error></ErrorResponse>".encode(), "text/xml"
    else:
        code = "AccessDeniedException"
        body, content_type = json.dumps({"__type": code, "Message": str(error)}).encode(), "application/x-amz-json-1.1"
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("x-amzn-ErrorType", code)]
    start_response("403 Forbidden", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _refuse(environ: Environ, start_response: StartResponse, error: Exception) -> Iterable[bytes]:
    code = "NotImplemented" if isinstance(error, NotImplementedError) else "SandboxFailure"
    message = f"The sandbox cannot answer this: {error}" if str(error) else f"The sandbox failed: {error!r}"
    trace = None if code == "NotImplemented" else error
    _log.error("%s %s: %s", environ["REQUEST_METHOD"], environ["PATH_INFO"], message, exc_info=trace)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        error_element = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        body, content_type = f"<ErrorResponse>{error_element}</ErrorResponse>".encode(), "text/xml"
    else:
        body, content_type = json.dumps({"__type": code, "message": message}).encode(), "application/x-amz-json-1.1"
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("x-amzn-ErrorType", code)]
    start_response("400 Bad Request", headers)
    return [body]
