import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

Import = Callable[[str], Any]
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:training"
RUN = {
    "executionArn": "arn:aws:states:x",
    "stateMachineArn": MACHINE,
    "name": "other",
    "status": "RUNNING",
    "startDate": 0,
}
ENDPOINT = {
    "EndpointName": "kdd99-dev-1",
    "EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/kdd99-dev-1",
    "EndpointConfigName": "config-2",
    "EndpointStatus": "InService",
    "CreationTime": 0,
    "LastModifiedTime": 0,
    "ProductionVariants": [{"VariantName": "main", "CurrentInstanceCount": 4}],
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Stubber]:
    """Stub the client of one service: it answers what the test says, in order, and checks what it is asked."""
    clients: dict[str, Any] = {}
    make = boto3.client

    def stub(service: str) -> Stubber:
        clients[service] = make(service, region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-")
        stubber = Stubber(clients[service])
        stubber.activate()
        return stubber

    monkeypatch.setattr(boto3, "client", lambda service: clients[service])
    return stub


def test_training_start_hands_the_run_and_the_request_to_the_workflow(
    handler_of: Import, cloudformation: Any, aws: Callable[[str], Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARN", MACHINE)
    event = cloudformation.request("Create", Run=json.dumps({"key": "abc"}))
    states = aws("stepfunctions")
    states.add_response("list_executions", {"executions": []})
    sent = {key: event[key] for key in ("ResponseURL", "StackId", "RequestId", "LogicalResourceId")}
    states.add_response(
        "start_execution",
        {"executionArn": "arn:aws:states:x", "startDate": 0},
        {
            "stateMachineArn": MACHINE,
            "name": event["RequestId"],
            "input": json.dumps({"mode": "deploy", "run": {"key": "abc"}, "cloudformation": sent}),
        },
    )
    handler_of("training_start").handler(event, None)
    states.assert_no_pending_responses()
    assert cloudformation.answers == []  # the workflow's last step answers


def test_training_start_fails_at_once_when_another_run_is_under_way(
    handler_of: Import, cloudformation: Any, aws: Callable[[str], Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARN", MACHINE)
    monkeypatch.setattr(handler_of("training_start"), "PATIENCE_SECONDS", 0.0)
    aws("stepfunctions").add_response("list_executions", {"executions": [RUN]})
    handler_of("training_start").handler(cloudformation.request("Update", Run="{}"), None)
    (answer,) = cloudformation.answers
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "trained-model")
    assert "run other is under way" in answer["Reason"]


def test_training_start_waits_for_the_run_that_is_just_ending(
    handler_of: Import, cloudformation: Any, aws: Callable[[str], Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARN", MACHINE)
    monkeypatch.setattr(handler_of("training_start"), "POLL_SECONDS", 0.0)
    states = aws("stepfunctions")
    states.add_response("list_executions", {"executions": [RUN]})
    states.add_response("list_executions", {"executions": []})
    states.add_response("start_execution", {"executionArn": "arn:aws:states:x", "startDate": 0})
    handler_of("training_start").handler(cloudformation.request("Update", Run='{"key": "abc"}'), None)
    states.assert_no_pending_responses()
    assert cloudformation.answers == []


def test_training_start_has_nothing_to_do_for_delete(handler_of: Import, cloudformation: Any) -> None:
    handler_of("training_start").handler(cloudformation.request("Delete"), None)
    assert [answer["Status"] for answer in cloudformation.answers] == ["SUCCESS"]


def test_training_answer_passes_the_model_on(handler_of: Import, cloudformation: Any) -> None:
    event = {"cloudformation": cloudformation.request("Create"), "model_data_url": "s3://b/models/k/model.tar.gz"}
    handler_of("training_answer").handler(event, None)
    (answer,) = cloudformation.answers
    assert (answer["Status"], answer["Data"]) == ("SUCCESS", {"ModelDataUrl": "s3://b/models/k/model.tar.gz"})


@pytest.mark.parametrize("reason", ["x" * 100_000, "é" * 5_000, '"\\' * 4_000])
def test_training_answer_cuts_a_long_reason_to_what_cloudformation_takes(
    reason: str, handler_of: Import, cloudformation: Any
) -> None:
    handler_of("training_answer").handler({"cloudformation": cloudformation.request("Update"), "reason": reason}, None)
    (answer,) = cloudformation.answers
    assert answer["Status"] == "FAILED"
    assert reason.startswith(answer["Reason"][:3]) or "\\x" in answer["Reason"]
    assert cloudformation.sizes[0] <= 4096


@pytest.mark.parametrize(
    ("running", "bounds", "expected"),
    [
        (4, {"initial_instance_count": 1, "max_capacity": 10}, "4"),
        (4, {"initial_instance_count": 1, "max_capacity": 3}, "3"),
        (4, {"initial_instance_count": 6, "max_capacity": 10}, "6"),
        (None, {"initial_instance_count": 2, "max_capacity": 10}, "2"),
    ],
)
def test_new_endpoint_starts_as_large_as_its_predecessor_within_bounds(
    running: int | None,
    bounds: dict[str, int],
    expected: str,
    handler_of: Import,
    cloudformation: Any,
    aws: Callable[[str], Stubber],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENDPOINT_NAME_PARAMETER", "/kdd99/dev/endpoint/name")
    ssm, sagemaker = aws("ssm"), aws("sagemaker")
    if running is None:
        ssm.add_client_error("get_parameter", "ParameterNotFound")
    else:
        ssm.add_response("get_parameter", {"Parameter": {"Value": "kdd99-dev-1"}})
        sagemaker.add_response("describe_endpoint", ENDPOINT, {"EndpointName": "kdd99-dev-1"})
    monkeypatch.setenv("VARIANTS", json.dumps({"main": bounds}))
    handler_of("endpoint_fleet").handler(cloudformation.request("Create"), None)
    assert cloudformation.answers[0]["Data"] == {"main": expected}


def test_fleet_reports_what_it_may_not_read(
    handler_of: Import, cloudformation: Any, aws: Callable[[str], Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDPOINT_NAME_PARAMETER", "/kdd99/dev/endpoint/name")
    aws("ssm").add_client_error("get_parameter", "AccessDeniedException")
    monkeypatch.setenv("VARIANTS", "{}")
    handler_of("endpoint_fleet").handler(cloudformation.request("Create"), None)
    assert cloudformation.answers[0]["Status"] == "FAILED"
    assert "AccessDenied" in cloudformation.answers[0]["Reason"]


@pytest.mark.parametrize(("wanted", "status"), [("config-2", "SUCCESS"), ("config-3", "FAILED")])
def test_deploy_fails_when_the_endpoint_serves_another_config(
    wanted: str, status: str, handler_of: Import, cloudformation: Any, aws: Callable[[str], Stubber]
) -> None:
    sagemaker = aws("sagemaker")
    sagemaker.add_response("describe_endpoint", {**ENDPOINT, "FailureReason": "no capacity"})
    event = cloudformation.request("Update", EndpointName="kdd99-dev-1", EndpointConfigName=wanted)
    handler_of("endpoint_check").handler(event, None)
    answer = cloudformation.answers[0]
    assert answer["Status"] == status
    assert ("no capacity" in answer["Reason"]) == (status == "FAILED")


def test_delete_succeeds_even_when_the_bucket_cannot_be_emptied(
    handler_of: Import, cloudformation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptier = handler_of("bucket_emptier")
    emptied: list[str] = []

    def fail(bucket: str) -> None:
        emptied.append(bucket)
        raise PermissionError("denied")

    monkeypatch.setattr(emptier, "empty", fail)
    emptier.handler(cloudformation.request("Delete", BucketName="b"), None)
    assert (emptied, cloudformation.answers[0]["Status"]) == (["b"], "SUCCESS")
    emptier.handler(cloudformation.request("Create", BucketName="b"), None)
    assert (emptied, cloudformation.answers[1]["Status"]) == (["b"], "SUCCESS")
