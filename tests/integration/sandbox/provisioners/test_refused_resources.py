"""Resources that AWS would refuse fail their stack with AWS's reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.cloudformation import provisioners  # noqa: F401 - registers every type
from sandbox.runtime import Runtime
from tests.integration.sandbox.provisioners.plain_types import ASSUMABLE, arn
from tests.integration.sandbox.provisioners.stacks import Stacks


@pytest.fixture
def taken(live: Runtime) -> Iterator[None]:
    """Hold three names, for the while of a test: others count what is there."""
    s3, sns, sqs = live.client("s3"), live.client("sns"), live.client("sqs")
    s3.create_bucket(Bucket="taken")
    topic, queue = sns.create_topic(Name="taken")["TopicArn"], sqs.create_queue(QueueName="taken")["QueueUrl"]
    yield
    s3.delete_bucket(Bucket="taken")
    sns.delete_topic(TopicArn=topic)
    sqs.delete_queue(QueueUrl=queue)


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ({"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "taken"}}, "taken already exists"),
        ({"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "taken"}}, "taken already exists"),
        ({"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "taken"}}, "taken already exists"),
        ({"Type": "AWS::S3::Bucket", "Properties": {"Nonsense": 1}}, "does not know the bucket properties"),
        ({"Type": "AWS::Logs::LogGroup", "Properties": {"Nonsense": 1}}, "unsupported property /Nonsense"),
        (
            {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String"}},
            'Missing required parameter in input: "Value"',
        ),
        (
            {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Code": {"S3Bucket": "taken", "S3Key": "missing.zip"},
                    "Role": arn("Role"),
                    "Runtime": "python3.12",
                    "Handler": "a.b",
                },
            },
            "GetObject",
        ),
    ],
)
def test_resource_that_aws_would_refuse_fails_with_the_reason(
    stacks: Stacks, taken: None, resource: dict[str, Any], reason: str, request: pytest.FixtureRequest
) -> None:
    name = f"refused{abs(hash(request.node.name)) % 10**6}"
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": ASSUMABLE}}
    assert stacks.create(name, json.dumps({"Resources": {"It": resource, "Role": role}})) == "ROLLBACK_COMPLETE"
    assert reason in stacks.reasons(name)


def test_bucket_with_objects_is_not_deleted(stacks: Stacks, live: Runtime) -> None:
    body = json.dumps({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}})
    assert stacks.create("full", body) == "CREATE_COMPLETE"
    bucket = stacks.physical_ids("full")["Bucket"]
    live.client("s3").put_object(Bucket=bucket, Key="x", Body=b"")
    assert stacks.delete("full") == "DELETE_FAILED"
    assert "BucketNotEmpty" in stacks.reasons("full")
    live.client("s3").delete_object(Bucket=bucket, Key="x")
    assert stacks.delete("full") == "DELETE_COMPLETE"
