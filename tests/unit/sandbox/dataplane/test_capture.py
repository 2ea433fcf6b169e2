"""Data capture as SageMaker writes it: layout, format, sampling, encryption."""

import base64
import json
import re
from typing import Any

import pytest

from sandbox.sessions import access_key_id, session_of
from serving.http_answer import Answer
from tests.unit.sandbox.dataplane.conftest import wait_for

BOTH = [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}]
TYPES = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}
CONFIG: dict[str, Any] = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bucket/captured",
    "CaptureOptions": BOTH,
    "CaptureContentTypeHeader": TYPES,
    "role_arn": "arn:aws:iam::123456789012:role/model",
}


@pytest.fixture
def front(make_server: Any) -> Any:
    return make_server(lambda head, body: Answer(200, b"application/xml", b""))


def route(plane: Any, server: Any, **config: Any) -> None:
    variants = [{"name": "main", "instances": [{"id": "i", "port": server.port}]}]
    plane.put("endpoints/kdd", {"variants": variants, "capture": CONFIG | config})


def captured(front: Any, count: int) -> list[dict[str, Any]]:
    def lines() -> list[bytes]:
        return [line for call in front.calls for line in bytes(call.body).splitlines()]

    wait_for(lambda: len(lines()) >= count)
    return [json.loads(line) for line in lines()]


def test_request_and_answer_are_written_as_sagemaker_does(plane: Any, make_server: Any, front: Any) -> None:
    route(plane, make_server())
    plane.invoke(b"1,2,3")
    (line,) = captured(front, 1)
    event = line.pop("eventMetadata")
    assert line == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv",
                "mode": "INPUT",
                "data": "1,2,3",
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": "application/json",
                "mode": "OUTPUT",
                "data": '{"predictions":[]}',
                "encoding": "JSON",
            },
        },
        "eventVersion": "0",
    }
    assert re.fullmatch(r"[0-9a-f-]{36}", event["eventId"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["inferenceTime"])
    (call,) = front.calls
    layout = r"/bucket/captured/kdd/main/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl"
    assert (call.head.method, bool(re.fullmatch(layout, call.head.path))) == ("PUT", True), call.head.path
    assert session_of(call.head.headers["authorization"]) == access_key_id(CONFIG["role_arn"])


def test_other_content_types_are_written_in_base64(plane: Any, make_server: Any, front: Any) -> None:
    route(plane, make_server(), CaptureContentTypeHeader=None, CaptureOptions=BOTH[:1])
    plane.invoke(b"\xff\x00")
    (line,) = captured(front, 1)
    assert list(line["captureData"]) == ["endpointInput"]
    entry = line["captureData"]["endpointInput"]
    assert (entry["encoding"], base64.b64decode(entry["data"])) == ("BASE64", b"\xff\x00")


def test_a_key_encrypts_what_is_written(plane: Any, make_server: Any, front: Any) -> None:
    route(plane, make_server(), KmsKeyId="arn:aws:kms:us-east-1:123456789012:key/1")
    plane.invoke()
    captured(front, 1)
    headers = front.calls[0].head.headers
    assert headers["x-amz-server-side-encryption"] == "aws:kms"
    assert headers["x-amz-server-side-encryption-aws-kms-key-id"].endswith(":key/1")


def test_the_share_of_captured_requests_is_the_sampling_percentage(plane: Any, make_server: Any, front: Any) -> None:
    route(plane, make_server(), InitialSamplingPercentage=50)
    for _ in range(200):
        plane.invoke()
    route(plane, make_server(), InitialSamplingPercentage=100)
    plane.invoke(b"the last one")
    wait_for(lambda: any(b"the last one" in bytes(call.body) for call in front.calls))
    # binomial: 200 x 0.5 is 100 with a standard deviation of 7
    assert 60 < len(captured(front, 1)) - 1 < 140


def test_failed_requests_and_endpoints_without_capture_leave_nothing(plane: Any, make_server: Any, front: Any) -> None:
    failing = make_server(lambda head, body: Answer(500, b"text/plain", b"no"))
    route(plane, failing)
    assert plane.invoke().status == 424
    plane.route(main=[make_server()])
    assert plane.invoke().status == 200
    route(plane, make_server())
    plane.invoke(b"captured")
    assert len(captured(front, 1)) == 1
