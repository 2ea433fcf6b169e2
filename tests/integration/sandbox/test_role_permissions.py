"""What the policies of a role do not allow is refused in AWS's words, whichever protocol the service speaks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from sandbox import launch
from sandbox.permissions.recording import read
from sandbox.runtime import ACCOUNT_ID, Runtime

VERSION = "2012-10-17"
ASSUMABLE = {
    "Version": VERSION,
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "x"}, "Action": "sts:AssumeRole"}],
}
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT_ID}:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A sandbox with one bucket, and nothing else."""
    directory = tmp_path_factory.mktemp("sandbox")
    runtime = launch.start(directory, owner_pid=os.getpid())
    runtime.client("s3").create_bucket(Bucket="data")
    yield runtime
    launch.stop(directory)


def role(runtime: Runtime, name: str, *statements: dict[str, Any]) -> str:
    """Make a role that may do what the statements say."""
    iam = runtime.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ASSUMABLE))["Role"]["Arn"]
    document = {"Version": VERSION, "Statement": statements or [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(document))
    return str(arn)


def allow(action: str | list[str], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def refused(call: Any, **parameters: Any) -> str:
    """Return the message of the refusal."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert caught.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}
    return str(caught.value.response["Error"]["Message"])


def test_role_reads_what_it_may_and_no_other_object(alone: Runtime) -> None:
    arn = role(alone, "reader", allow("s3:GetObject", "arn:aws:s3:::data/mine/*"))
    s3 = alone.client("s3", arn)
    for key in ("mine/a", "yours/a"):
        alone.client("s3").put_object(Bucket="data", Key=key, Body=b"a")
    assert s3.get_object(Bucket="data", Key="mine/a")["Body"].read() == b"a"
    assert refused(s3.get_object, Bucket="data", Key="yours/a") == (
        f"User: arn:aws:sts::{ACCOUNT_ID}:assumed-role/reader/sandbox is not authorized to perform: s3:GetObject on "
        "resource: arn:aws:s3:::data/yours/a because no identity-based policy allows the s3:GetObject action"
    )


def test_copy_needs_both_objects_and_deletion_each_of_them(alone: Runtime) -> None:
    alone.client("s3").put_object(Bucket="data", Key="from", Body=b"a")
    writer = alone.client(
        "s3", role(alone, "writer", allow(["s3:PutObject", "s3:DeleteObject"], "arn:aws:s3:::data/to"))
    )
    message = refused(writer.copy_object, Bucket="data", Key="to", CopySource="data/from")
    assert "s3:GetObject on resource: arn:aws:s3:::data/from" in message
    both = {"Objects": [{"Key": "to"}, {"Key": "from"}]}
    assert "s3:DeleteObject on resource: arn:aws:s3:::data/from" in refused(
        writer.delete_objects, Bucket="data", Delete=both
    )
    writer.delete_objects(Bucket="data", Delete={"Objects": [{"Key": "to"}]})


def test_object_of_an_encrypted_bucket_takes_its_key_too(alone: Runtime) -> None:
    s3 = alone.client("s3")
    s3.create_bucket(Bucket="secret")
    encryption = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}}
    s3.put_bucket_encryption(Bucket="secret", ServerSideEncryptionConfiguration={"Rules": [encryption]})
    both = allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::secret/*")
    writer = alone.client("s3", role(alone, "encrypts", both, allow("kms:GenerateDataKey", KEY)))
    writer.put_object(Bucket="secret", Key="a", Body=b"a")
    assert f"kms:Decrypt on resource: {KEY}" in refused(writer.get_object, Bucket="secret", Key="a")


@pytest.mark.parametrize(
    ("service", "call", "parameters", "action"),
    [
        ("ssm", "get_parameter", {"Name": "/a"}, "ssm:GetParameter"),  # JSON
        ("lambda", "invoke", {"FunctionName": "f"}, "lambda:InvokeFunction"),  # REST and JSON
        ("sns", "publish", {"TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": "m"}, "sns:Publish"),  # query
        ("cloudformation", "update_stack", {"StackName": "s"}, "cloudformation:UpdateStack"),
        ("sagemaker", "describe_endpoint", {"EndpointName": "e"}, "sagemaker:DescribeEndpoint"),
        ("stepfunctions", "list_executions", {"stateMachineArn": "arn:aws:states:::m"}, "states:ListExecutions"),
        ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": []}, "cloudwatch:PutMetricData"),
        ("scheduler", "get_schedule", {"Name": "s"}, "scheduler:GetSchedule"),
        ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "e", "Body": b""}, "sagemaker:InvokeEndpoint"),
    ],
)
def test_role_without_permissions_is_refused_by_every_service(
    alone: Runtime, service: str, call: str, parameters: dict[str, Any], action: str
) -> None:
    arn = role(alone, f"nobody-{service}")
    assert f"not authorized to perform: {action} on" in refused(getattr(alone.client(service, arn), call), **parameters)
    assert [each.call.action for each in read(alone.directory) if each.role == arn and not each.allowed] == [action]


def test_role_that_iam_does_not_know_and_the_sandboxs_user_may_do_everything(alone: Runtime) -> None:
    for arn in (None, f"arn:aws:iam::{ACCOUNT_ID}:role/not-there"):
        assert alone.client("sagemaker", arn).list_endpoints()["Endpoints"] == []


def test_front_tells_the_data_plane_who_may_invoke(alone: Runtime) -> None:
    arn = role(alone, "invoker", allow("sagemaker:InvokeEndpoint", "*"))
    question = {"role": arn, "endpoint": "e", "region": "us-east-1"}
    answer = urllib3.request("POST", f"{alone.endpoint_url}/_sandbox/permission", json=question)
    assert answer.json() == {"refusal": None}
