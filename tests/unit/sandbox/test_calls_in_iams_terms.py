from typing import Any

import pytest

from sandbox.permissions.calls import calls_of, s3_call

ARN = "arn:aws:{}:us-east-1:123456789012:{}"
ROLE = "arn:aws:iam::123456789012:role/jobs"


def calls(service: str, operation: str, **parameters: Any) -> list[tuple[str, str]]:
    found = calls_of(service, operation, parameters, region="us-east-1", account_id="123456789012")
    return [(call.action, call.resource) for call in found]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "action", "resource"),
    [
        ("lambda", "Invoke", {"FunctionName": "f"}, "lambda:InvokeFunction", ARN.format("lambda", "function:f")),
        ("ssm", "GetParameter", {"Name": "/a/b"}, "ssm:GetParameter", ARN.format("ssm", "parameter/a/b")),
        ("ssm", "PutParameter", {"Name": "a", "Value": ROLE}, "ssm:PutParameter", ARN.format("ssm", "parameter/a")),
        (
            "stepfunctions",
            "StartExecution",
            {"stateMachineArn": ARN.format("states", "stateMachine:m")},
            "states:StartExecution",
            ARN.format("states", "stateMachine:m"),
        ),
        (
            "cloudformation",
            "UpdateStack",
            {"StackName": "serving"},
            "cloudformation:UpdateStack",
            ARN.format("cloudformation", "stack/serving/*"),
        ),
        (
            "logs",
            "CreateLogGroup",
            {"logGroupName": "/a"},
            "logs:CreateLogGroup",
            ARN.format("logs", "log-group:/a:log-stream:"),
        ),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "/a", "logStreamName": "s"},
            "logs:PutLogEvents",
            ARN.format("logs", "log-group:/a:log-stream:s"),
        ),
        ("sagemaker", "ListEndpoints", {}, "sagemaker:ListEndpoints", "*"),
    ],
)
def test_operation_becomes_action_and_resource(
    service: str, operation: str, parameters: dict[str, Any], action: str, resource: str
) -> None:
    assert calls(service, operation, **parameters) == [(action, resource)]


def test_creating_a_job_tags_it_and_passes_its_role() -> None:
    job = ARN.format("sagemaker", "training-job/j")
    tags = [{"Key": "a", "Value": "b"}]
    assert calls("sagemaker", "CreateTrainingJob", TrainingJobName="j", RoleArn=ROLE, Tags=tags) == [
        ("sagemaker:CreateTrainingJob", job),
        ("sagemaker:AddTags", job),
        ("iam:PassRole", ROLE),
    ]


def test_role_of_a_schedules_target_is_passed_to_the_scheduler() -> None:
    parameters = {"Name": "s", "Target": {"Arn": "arn:x", "RoleArn": ROLE}}
    found = calls_of("scheduler", "CreateSchedule", parameters, region="us-east-1", account_id="123456789012")
    assert found[0].resource == ARN.format("scheduler", "schedule/default/s")
    assert (found[1].resource, found[1].context) == (ROLE, (("iam:PassedToService", "scheduler.amazonaws.com"),))


def test_endpoint_needs_its_configuration_too() -> None:
    assert calls("sagemaker", "CreateEndpoint", EndpointName="e", EndpointConfigName="c") == [
        ("sagemaker:CreateEndpoint", ARN.format("sagemaker", "endpoint-config/c")),
        ("sagemaker:CreateEndpoint", ARN.format("sagemaker", "endpoint/e")),
    ]


def test_metrics_are_bounded_by_their_namespace() -> None:
    (call,) = calls_of("cloudwatch", "PutMetricData", {"Namespace": "n"}, region="us-east-1", account_id="1")
    assert (call.resource, call.context) == ("*", (("cloudwatch:namespace", "n"),))


@pytest.mark.parametrize(
    ("action", "key", "expected"),
    [
        ("GetObject", "a/b", ("s3:GetObject", "arn:aws:s3:::bucket/a/b")),
        ("ListBucket", "", ("s3:ListBucket", "arn:aws:s3:::bucket")),
        ("HeadBucket", "", ("s3:ListBucket", "arn:aws:s3:::bucket")),
    ],
)
def test_s3_actions_are_on_objects_or_on_the_bucket(action: str, key: str, expected: tuple[str, str]) -> None:
    call = s3_call(action, "bucket", key)
    assert (call.action, call.resource) == expected
