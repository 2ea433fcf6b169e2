"""Asking the API: what is sent, and what the user is told."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import main
from cli.deployment import Deployment
from cli.predict import RefusedError, ask
from config.settings import Settings

PRETRAINED = {
    "project": {"name": "spam"},
    "model": {"path": "model.onnx", "framework": "onnx"},
    "api": {"auth": "none"},
}


class Api(BaseHTTPRequestHandler):
    """Answers rows whose first character is a digit, with what it was sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        told = {"path": self.path, "type": self.headers["Content-Type"], "body": body}
        self.send_response(200 if body[:1].isdigit() else 424)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    server = HTTPServer(("127.0.0.1", 0), Api)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    deployment = Deployment("spam", Settings.model_validate(PRETRAINED), None)
    url = f"http://127.0.0.1:{server.server_port}/v1"
    monkeypatch.setattr(Deployment, "api_url", lambda _, path: url + path)
    monkeypatch.setattr(Deployment, "find", lambda _: deployment)
    yield deployment
    server.shutdown()
    server.server_close()


def run(*arguments: str, rows: str) -> Any:
    return CliRunner().invoke(main.app, ["invoke", "--env", "spam", *arguments], input=rows)


def test_invoke_sends_the_rows_as_they_are_and_prints_the_answer(deployment: Deployment) -> None:
    done = run("--content-type", "application/jsonlines", rows="1,2\n3,4\n")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {"path": "/v1/invocations", "type": "application/jsonlines", "body": "1,2\n3,4"}


def test_invoke_tells_the_status_and_the_models_reason(deployment: Deployment) -> None:
    done = run(rows="no number")
    assert done.exit_code == 1
    assert "sagescale invoke: the API answered 424:" in done.output


def test_predict_names_invoke_where_there_are_no_predictions(deployment: Deployment) -> None:
    with pytest.raises(RefusedError, match=r"this API takes no records, .* by `sagescale invoke`"):
        ask(deployment, [{}])
