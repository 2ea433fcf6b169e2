"""The front: what it forwards arrives as it was sent, and moto's services get one request at a time."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from werkzeug.serving import make_server

from sandbox import front
from sandbox.dataplane import signature
from sandbox.runtime import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Runtime
from sandbox.server import RequestHandler
from serving.http_head import RequestHead, parse_head


class Application:
    """Notes the most requests that were inside at once."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.wsgi_app: Any = self._answer
        self.most_at_once = 0
        self._inside = 0
        self._lock = threading.Lock()

    def _answer(self, _environ: Any, _start_response: Any) -> list[bytes]:
        with self._lock:
            self._inside += 1
            self.most_at_once = max(self.most_at_once, self._inside)
        time.sleep(0.005)
        with self._lock:
            self._inside -= 1
        return []


def most_at_once(service: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """Call `service` from eight threads."""
    monkeypatch.setattr(front, "create_backend_app", Application)
    application = front._create_service(service)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: application.wsgi_app({}, None), range(16)))
    most: int = application.most_at_once
    return most


@pytest.mark.parametrize("service", ["apigateway", "iam", "s3"])
def test_requests_to_a_service_are_answered_one_at_a_time(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert most_at_once(service, monkeypatch) == 1


@pytest.mark.parametrize("service", ["awslambda", "stepfunctions", "sagemaker"])
def test_requests_to_a_service_that_waits_are_answered_together(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert most_at_once(service, monkeypatch) > 1


class Arrivals(BaseHTTPRequestHandler):
    """A data plane that keeps what arrives."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[RequestHead, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"{self.requestline}\r\n{self.headers.as_string()}".replace("\r\n", "\n").replace("\n", "\r\n")
        self.seen.append((parse_head(head.encode()), body))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def forwarding(tmp_path: Path) -> Iterator[tuple[int, list[tuple[RequestHead, bytes]]]]:
    """Port of a front, and what it has forwarded."""
    seen: list[tuple[RequestHead, bytes]] = []
    handler = type("Handler", (Arrivals,), {"seen": seen})
    dataplane = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    runtime = Runtime(directory=tmp_path, port=1, dataplane_port=dataplane.server_port)
    server = make_server("127.0.0.1", 0, front.Front(runtime, dict), threaded=True, request_handler=RequestHandler)
    for each in (dataplane, server):
        threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server.port, seen
    for each in (dataplane, server):
        each.shutdown()
        each.server_close()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("target", ["invocations", "a%20b/%2Fc?x=1&y=%2F"])
def test_forwarded_request_keeps_its_signature_and_its_body(
    forwarding: tuple[int, list[tuple[RequestHead, bytes]]], target: str, chunked: bool
) -> None:
    port, seen = forwarding
    path, body = f"/restapis/abc123/v1/_user_request_/{target}", b"1.0,2.0,3.0\n" * 3
    request = AWSRequest("POST", f"http://127.0.0.1:{port}{path}", data=body, headers={"Content-Type": "text/csv"})
    SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY), "execute-api", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30.0)
    sent = [body[:5], body[5:]] if chunked else body
    framing = {"Transfer-Encoding": "chunked"} if chunked else {}
    connection.request("POST", path, sent, dict(request.headers) | framing, encode_chunked=chunked)
    assert connection.getresponse().status == 200
    connection.close()
    ((head, arrived),) = seen
    assert arrived == body
    assert signature.verify(head, arrived, {ACCESS_KEY_ID: SECRET_ACCESS_KEY}, time.time()) == ACCESS_KEY_ID
