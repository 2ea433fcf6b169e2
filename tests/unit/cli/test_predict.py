"""Asking the API: what is sent, and what the user is told."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import main
from cli.deployment import Deployment
from cli.predict import RefusedError, ask
from config.settings import Settings
from sandbox.processes import REPOSITORY_ROOT
from training import schema

PRETRAINED = {
    "project": {"name": "spam"},
    "model": {"path": "model.onnx", "framework": "onnx"},
    "api": {"auth": "none"},
}


class Api(BaseHTTPRequestHandler):
    """Answers rows whose first character is a digit, with what it was sent; else with `answer`, if there is one."""

    answer = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        told = {"path": self.path, "type": self.headers["Content-Type"], "body": body}
        self.send_response(200 if body[:1].isdigit() else 424)
        self.end_headers()
        self.wfile.write((self.answer or json.dumps(told)).encode())

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


def test_refusal_is_told_by_its_message_and_a_line_a_problem(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [{"index": 1, "field": f"field{number}", "reason": "missing"} for number in range(12)]
    monkeypatch.setattr(Api, "answer", json.dumps({"message": "12 problems in 1 of 2 records", "errors": errors}))
    lines = run(rows="no number").output.splitlines()
    assert lines[0] == "sagescale invoke: the API answered 424: 12 problems in 1 of 2 records"
    assert lines[1] == "  record 1, field0: missing"
    assert lines[11:] == ["  and 2 more"]


def test_refusal_of_sagemaker_is_told_by_its_message(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Api, "answer", json.dumps({"ErrorCode": "CLIENT_ERROR_FROM_MODEL", "Message": "no such row"}))
    assert run(rows="no number").output == "sagescale invoke: the API answered 424: no such row\n"


@pytest.mark.parametrize("content", ['{"a": 1}', '[{"a": 1}]', '{"records": [{"a": 1}]}'])
def test_predict_takes_a_record_a_list_and_a_body(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    asked: list[Any] = []

    def answer(_: Deployment, records: list[Any]) -> list[Any]:
        asked.extend(records)
        return []

    monkeypatch.setattr(Deployment, "find", lambda _: None)
    monkeypatch.setattr("cli.predict.ask", answer)
    assert CliRunner().invoke(main.app, ["predict"], input=content).exit_code == 0
    assert asked == [{"a": 1}]


def test_connections_of_the_docs_are_records() -> None:
    records = json.loads((REPOSITORY_ROOT / "docs" / "connections.json").read_text())
    assert [schema.find_problems(record) for record in records] == [(), ()]


def test_predict_names_the_file_that_holds_no_json(tmp_path: Path) -> None:
    file = tmp_path / "connection.json"
    file.write_text('{"duration": ')
    done = CliRunner().invoke(main.app, ["predict", str(file)])
    assert done.exit_code == 1
    assert f"sagescale predict: {file} holds no JSON: " in done.output


def test_predict_names_invoke_where_there_are_no_predictions(deployment: Deployment) -> None:
    with pytest.raises(RefusedError, match=r"this API takes no records, .* by `sagescale invoke`"):
        ask(deployment, [{}])


def test_smoke_calls_a_model_that_takes_no_records_with_rows(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1,2\n3,4\n")
    command = ["smoke", "--users", "2", "--seconds", "0.2", "--bodies", str(tmp_path / "rows.csv")]
    done = CliRunner().invoke(main.app, command)
    assert done.exit_code == 0, done.output
    assert "requests by 2 callers in 0.2 s, 0 failed" in done.output


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("smoke", "the model of spam takes no records: name a file of its rows with --bodies"),
        ("train", "spam trains nothing, its model comes from elsewhere"),
        ("models list", "spam trains nothing, its model comes from elsewhere"),
        ("models rollback", "spam trains nothing, its model comes from elsewhere"),
    ],
)
def test_what_a_model_from_elsewhere_has_not_is_said_at_once(deployment: Deployment, command: str, told: str) -> None:
    done = CliRunner().invoke(main.app, command.split())
    assert done.exit_code == 1, done.output
    assert told in done.output
