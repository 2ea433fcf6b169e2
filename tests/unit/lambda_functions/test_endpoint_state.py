"""Sleeping and waking: what the update of the stack asks for, and when there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/kdd99-dev-serving/1"
PARAMETERS = ["ApprovedModel", "BootstrapVersion", "EndpointState"]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Stubber]:
    clients: dict[str, Any] = {}
    make = boto3.client

    def begin(service: str) -> Stubber:
        clients[service] = make(service, region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-")
        stubber = Stubber(clients[service])
        stubber.activate()
        return stubber

    monkeypatch.setattr(boto3, "client", lambda service: clients[service])
    return begin


@pytest.fixture
def endpoint_state(handler_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in {"STACK": STACK, "ENDPOINT_NAME": "kdd", "VARIANTS": "a,b", "IDLE_MINUTES": "30"}.items():
        monkeypatch.setenv(name, value)
    return handler_of("endpoint_state")


def describe(stubber: Stubber, parameters: list[str]) -> None:
    stack = {
        "StackName": "kdd99-dev-serving",
        "CreationTime": 0,
        "StackStatus": "UPDATE_COMPLETE",
        "Parameters": [{"ParameterKey": name, "ParameterValue": "x"} for name in parameters],
    }
    stubber.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": STACK})


def requests(stubber: Stubber, *counts: float) -> None:
    for variant, count in zip("ab", counts, strict=True):
        asked = {
            "Namespace": "AWS/SageMaker",
            "MetricName": "Invocations",
            "Dimensions": [{"Name": "EndpointName", "Value": "kdd"}, {"Name": "VariantName", "Value": variant}],
            "StartTime": ANY,
            "EndTime": ANY,
            "Period": 300,
            "Statistics": ["Sum"],
        }
        stubber.add_response("get_metric_statistics", {"Datapoints": [{"Sum": count}, {"Sum": 0.0}]}, asked)


def test_idle_endpoint_is_put_to_sleep_and_every_other_parameter_kept(
    endpoint_state: Any, stub: Callable[[str], Stubber]
) -> None:
    requests(stub("cloudwatch"), 0.0, 0.0)
    cloudformation = stub("cloudformation")
    describe(cloudformation, PARAMETERS)
    kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in PARAMETERS[:2]]
    asked = {
        "StackName": STACK,
        "UsePreviousTemplate": True,
        "Parameters": [*kept, {"ParameterKey": "EndpointState", "ParameterValue": "asleep"}],
        "Capabilities": ANY,
    }
    cloudformation.add_response("update_stack", {"StackId": STACK}, asked)
    endpoint_state.handler({"state": "asleep"}, None)
    cloudformation.assert_no_pending_responses()


def test_endpoint_with_requests_on_any_variant_stays_awake(endpoint_state: Any, stub: Callable[[str], Stubber]) -> None:
    requests(stub("cloudwatch"), 0.0, 7.0)
    cloudformation = stub("cloudformation")
    with pytest.raises(endpoint_state.BusyError, match="7 requests in the last 30 minutes"):
        endpoint_state.handler({"state": "asleep"}, None)
    cloudformation.assert_no_pending_responses()


def test_waking_asks_nobody_and_an_awake_endpoint_is_left_alone(
    endpoint_state: Any, stub: Callable[[str], Stubber]
) -> None:
    cloudformation = stub("cloudformation")
    describe(cloudformation, PARAMETERS)
    cloudformation.add_client_error("update_stack", "ValidationError", "No updates are to be performed.")
    endpoint_state.handler({"state": "awake"}, None)
    cloudformation.assert_no_pending_responses()


def test_busy_stack_is_reported(endpoint_state: Any, stub: Callable[[str], Stubber]) -> None:
    cloudformation = stub("cloudformation")
    describe(cloudformation, PARAMETERS)
    cloudformation.add_client_error("update_stack", "ValidationError", "Stack is in UPDATE_IN_PROGRESS state")
    with pytest.raises(Exception, match="UPDATE_IN_PROGRESS"):
        endpoint_state.handler({"state": "awake"}, None)


def test_stack_without_the_parameter_says_what_to_do(endpoint_state: Any, stub: Callable[[str], Stubber]) -> None:
    describe(stub("cloudformation"), PARAMETERS[:2])
    with pytest.raises(endpoint_state.NoSuchStateError, match=r"never sleeps: add \[endpoint.sleep\]"):
        endpoint_state.handler({"state": "awake"}, None)
