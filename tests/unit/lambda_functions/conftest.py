"""A CloudFormation that listens for one answer, and AWS clients that answer from dictionaries."""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest


class Cloudformation:
    """Collects the answers of custom resources."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[dict[str, Any]] = []
        self.sizes: list[int] = []

    def request(self, request_type: str, **properties: str) -> dict[str, Any]:
        return {
            "RequestType": request_type,
            "ResponseURL": self.url,
            "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/x/1",
            "RequestId": "5f0c7e2a-9a7e-4a4e-8d8e-0c8a7a3c1b2d",
            "LogicalResourceId": "Thing",
            "ResourceProperties": properties,
        }


@pytest.fixture
def cloudformation() -> Iterator[Cloudformation]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listener.answers.append(json.loads(body))
            listener.sizes.append(len(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    listener = Cloudformation(f"http://127.0.0.1:{server.server_port}/answer")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield listener
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def handler_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Import a function's handler as Lambda does, without an account."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return lambda name: importlib.import_module(f"lambda.{name}.handler")
