"""The predict function against an endpoint on loopback that answers as SageMaker Runtime does."""

import base64
import importlib
import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from training import schema

ROOT = Path(__file__).parents[3]
RECORD = {
    feature.name: {"protocol_type": "tcp", "service": "http", "flag": "SF"}.get(feature.name, 0.5)
    for feature in schema.FEATURES
}


class Service:
    """Remembers requests; answers one prediction a row, or what a test says."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.answer = None
        self.delay_seconds = 0.0
        self.drop_next = False

    def respond(self, path: Any, headers: Any, body: Any) -> Any:
        self.requests.append((path, headers, body.decode()))
        time.sleep(self.delay_seconds)
        if self.answer:
            return self.answer
        rows = body.decode().split("\n")
        predictions = [{"score": 0.25 + number, "predicted_label": number % 2} for number in range(len(rows))]
        return 200, json.dumps({"predictions": predictions}).encode()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Any:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = service.respond(self.path, dict(self.headers), body)
            if service.drop_next:
                service.drop_next, self.close_connection = False, True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": f"http://127.0.0.1:{server.server_port}",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "ENDPOINT_NAME": "kdd99-test-0a1b2c3d",
    }.items():
        monkeypatch.setenv(name, value)
    yield service
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def predict(service: Any) -> Any:
    module = importlib.import_module("lambda.predict.handler")
    module._endpoint.cache_clear()
    yield module
    if module._endpoint.cache_info().currsize:
        module._endpoint()._session.close()
    module._endpoint.cache_clear()


def _event(body: Any, **others: Any) -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"body": text, "headers": {"content-type": "application/json"}, "isBase64Encoded": False} | others


def _call(predict: Any, body: Any, **others: Any) -> Any:
    answer = predict.handler(_event(body, **others), None)
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["isBase64Encoded"] is False
    assert "Traceback" not in answer["body"]
    return answer["statusCode"], json.loads(answer["body"])


def test_one_record_is_answered_with_its_label(predict: Any, service: Any) -> None:
    status, answer = _call(predict, RECORD)
    assert (status, answer) == (200, {"predictions": [{"label": "normal", "score": 0.25, "predicted_label": 0}]})
    ((path, headers, body),) = service.requests
    assert path == "/endpoints/kdd99-test-0a1b2c3d/invocations"
    assert headers["Content-Type"] == "text/csv"
    assert headers["X-Amz-Security-Token"] == "token"
    assert "/eu-west-1/sagemaker/aws4_request" in headers["Authorization"]
    assert list(map(float, body.split(","))) == schema.encode(RECORD)


def test_a_batch_is_answered_in_its_order(predict: Any, service: Any) -> None:
    status, answer = _call(predict, {"records": [RECORD, RECORD | {"src_bytes": 7}, RECORD]})
    assert status == 200
    assert [each["label"] for each in answer["predictions"]] == ["normal", "attack", "normal"]
    assert len(service.requests) == 1
    assert service.requests[0][2].split("\n")[1].split(",")[1] == "7"


def test_a_base64_body_and_odd_headers_are_read(predict: Any) -> None:
    body = base64.b64encode(json.dumps(RECORD).encode()).decode()
    others = {"isBase64Encoded": True, "headers": {"Content-TYPE": "Application/JSON; charset=utf-8"}}
    assert _call(predict, body, **others)[0] == 200
    assert _call(predict, RECORD, headers=None)[0] == 200


def test_a_bad_record_is_refused_with_field_and_reason(predict: Any, service: Any) -> None:
    record = RECORD | {"src_bytes": "many", "colour": 1}
    del record["flag"]
    status, answer = _call(predict, record)
    assert status == 400
    assert answer["message"] == "3 problems in 1 of 1 records"
    assert [error["field"] for error in answer["errors"]] == ["flag", "src_bytes", "colour"]
    assert answer["errors"][1]["reason"].startswith("came 'many'; allowed is a finite number")
    assert service.requests == []


def test_a_batch_names_the_index_of_every_bad_record(predict: Any, service: Any) -> None:
    status, answer = _call(predict, {"records": [RECORD, RECORD | {"hot": None}, RECORD, 5]})
    assert status == 400
    assert [(error["index"], error["field"]) for error in answer["errors"]] == [(1, "hot"), (3, "")]
    assert answer["errors"][1]["reason"] == "came 5; allowed is an object"
    assert service.requests == []


def test_a_thousand_bad_records_name_the_first_hundred_problems(predict: Any) -> None:
    status, answer = _call(predict, {"records": [RECORD | {"hot": None}] * 1000})
    assert status == 400
    assert answer["message"] == "1000 problems in 1000 of 1000 records"
    assert len(answer["errors"]) == 100


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "body: not JSON"),
        ("{", "body: not JSON"),
        ("[" * 100_000, "body: not JSON"),
        ("[1, 2]", "body: came [1, 2]; allowed is one record"),
        ('{"records": []}', '"records" must stand alone and be a list of at least one record'),
        ('{"records": {}}', '"records" must stand alone'),
        ('{"records": [{}], "more": 1}', '"records" must stand alone'),
    ],
    ids=["empty", "cut", "deep", "list", "no_records", "object", "more"],
)
def test_a_body_of_another_shape_is_refused(predict: Any, body: Any, reason: Any) -> None:
    status, answer = _call(predict, body)
    assert status == 400
    assert reason in answer["message"]


def test_a_broken_base64_body_is_refused(predict: Any) -> None:
    status, answer = _call(predict, "!!", isBase64Encoded=True)
    assert status == 400
    assert answer["message"].startswith("body: not readable")


def test_another_content_type_is_refused(predict: Any) -> None:
    status, answer = _call(predict, "1,2", headers={"Content-Type": "text/csv"})
    assert (status, answer["message"]) == (415, "content type: came 'text/csv'; allowed is application/json")


def test_too_large_a_body_is_refused(predict: Any, service: Any) -> None:
    status, answer = _call(predict, " " * 6_291_457)
    assert (status, answer["message"]) == (413, "came a body of 6291457 bytes; allowed are 6291456")
    assert service.requests == []


@pytest.mark.parametrize("status", [424, 429, 500, 503])
def test_the_endpoints_own_errors_are_passed_on(predict: Any, service: Any, status: Any) -> None:
    service.answer = (status, json.dumps({"Message": "the model says no", "OriginalStatusCode": 400}).encode())
    assert _call(predict, RECORD) == (status, {"message": "the model says no"})


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_that_is_not_the_callers_fault_is_a_bad_gateway(predict: Any, service: Any, status: Any) -> None:
    service.answer = (status, b'{"Message": "arn:aws:sts::123456789012:assumed-role/x is not authorized"}')
    came, answer = _call(predict, RECORD)
    assert (came, answer) == (502, {"message": f"the endpoint refused the request with status {status}"})


@pytest.mark.parametrize(
    "answer",
    [b"oops", b"[]", b'{"predictions": []}', b'{"predictions": [{"score": 7}]}', b'{"predictions": [3]}'],
)
def test_an_answer_of_another_shape_is_a_bad_gateway(predict: Any, service: Any, answer: Any) -> None:
    service.answer = (200, answer)
    status, content = _call(predict, RECORD)
    assert status == 502
    assert content["message"].startswith(
        ("the endpoint's answer is not that of a classifier", "the endpoint answered 0")
    )


@pytest.mark.parametrize("answer", [b'{"predictions": [{"score": 0.75}]}', b"[0.75]", b"[[0.25, 0.75]]"])
def test_scores_of_xgboost_and_of_scripts_are_labelled_here(predict: Any, service: Any, answer: Any) -> None:
    service.answer = (200, answer)
    assert _call(predict, RECORD) == (
        200,
        {"predictions": [{"label": "attack", "score": 0.75, "predicted_label": 1}]},
    )


def test_an_error_without_message_is_still_json(predict: Any, service: Any) -> None:
    service.answer = (503, b"<html>")
    assert _call(predict, RECORD) == (503, {"message": "the endpoint failed without a message"})


def test_an_endpoint_that_takes_too_long_is_a_gateway_timeout(
    predict: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "_TIMEOUT_SECONDS", (1, 0.05))
    service.delay_seconds = 0.3
    status, answer = _call(predict, RECORD)
    assert (status, answer["message"]) == (504, "the endpoint did not answer in time; try again")


def test_an_endpoint_that_is_not_there_is_a_bad_gateway(predict: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "http://127.0.0.1:1")
    status, answer = _call(predict, RECORD)
    assert (status, answer["message"]) == (502, "the endpoint cannot be reached; try again")


def test_a_connection_closed_in_between_is_opened_again(predict: Any, service: Any) -> None:
    assert _call(predict, RECORD)[0] == 200
    service.drop_next = True
    assert _call(predict, RECORD)[0] == 200
    assert len(service.requests) == 3


def test_refusals_are_logged_and_counted_without_the_record(
    predict: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Logger().registered_handler, "stream", sys.stdout)  # the one capsys reads
    _call(predict, RECORD | {"hot": "secret-value"}, requestContext={"requestId": "api-1"})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert next(line for line in lines if "_aws" in line)["RefusedRequests"] == [1.0]
    assert any(line.get("api_request_id") == "api-1" and line["status"] == 400 for line in lines)
    assert "secret-value" not in json.dumps(lines)


def test_the_address_follows_the_region(predict: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert predict.Endpoint("e")._url == "https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/e/invocations"
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    assert predict.Endpoint("e")._url.startswith("https://runtime.sagemaker.cn-north-1.amazonaws.com.cn/")


def test_handler_imports_nothing_slow() -> None:
    """It would not fit the function's cold start; times are the benchmark's business."""
    code = "import sys, importlib; importlib.import_module('lambda.predict.handler'); print(*sys.modules)"
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"boto3", "numpy", "pyarrow", "aws_lambda_powertools"}.isdisjoint(finished.stdout.split())
