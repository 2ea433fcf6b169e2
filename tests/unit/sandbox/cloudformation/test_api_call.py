"""Properties in the spelling and the types of an API."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from sandbox.cloudformation.api_call import conform


def shape(service: str, operation: str) -> Any:
    client = boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    return client.meta.service_model.operation_model(operation).input_shape


def test_members_take_the_spelling_and_types_of_the_api() -> None:
    template = {
        "RestApiId": "a",
        "ResourceId": "b",
        "HttpMethod": "POST",
        "Type": "AWS",
        "TimeoutInMillis": "29000",
        "RequestTemplates": {"application/json": "{}"},
    }
    assert conform(template, shape("apigateway", "PutIntegration"), "") == {
        "restApiId": "a",
        "resourceId": "b",
        "httpMethod": "POST",
        "type": "AWS",
        "timeoutInMillis": 29000,
        "requestTemplates": {"application/json": "{}"},
    }


def test_documents_become_text_and_tags_the_shape_wanted() -> None:
    role = {"RoleName": "r", "AssumeRolePolicyDocument": {"Version": "x"}, "Tags": {"a": "b"}}
    assert conform(role, shape("iam", "CreateRole"), "") == {
        "RoleName": "r",
        "AssumeRolePolicyDocument": '{"Version": "x"}',
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    queue = {"QueueName": "q", "Attributes": {"DelaySeconds": 3, "Fifo": True}, "Tags": [{"Key": "a", "Value": "b"}]}
    assert conform(queue, shape("sqs", "CreateQueue"), "") == {
        "QueueName": "q",
        "Attributes": {"DelaySeconds": "3", "Fifo": "true"},
        "tags": {"a": "b"},
    }


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"Unknown": 1, "Period": 60}, "unsupported property /Unknown"),
        ({"Dimensions": [{"Nmae": "x"}]}, "unsupported property /Dimensions/Nmae"),
        ({"Period": "a minute"}, "/Period must be of type integer, got 'a minute'"),
        ({"ActionsEnabled": "maybe"}, "/ActionsEnabled must be of type boolean"),
        ({"Dimensions": ["x"]}, "/Dimensions must be an object"),
    ],
)
def test_what_the_api_does_not_take_is_refused(properties: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conform(properties, shape("cloudwatch", "PutMetricAlarm"), "")
