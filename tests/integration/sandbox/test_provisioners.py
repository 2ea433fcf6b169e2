"""Every emulated type is created, changed in place or replaced as AWS documents, and deleted."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import WaiterError
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

from sandbox.cloudformation import provisioners  # noqa: F401 - registers every type
from sandbox.cloudformation.provisioner import registered
from sandbox.runtime import ACCOUNT_ID, Runtime
from serving.artifact import LinearModel, write_artifact

ASSUMABLE = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
READS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
WRITES = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}
EXPIRE = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 9},
            "action": {"type": "expire"},
        }
    ]
}
IMAGE = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def arn(name: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, "Arn"]}


# logical id: (type, properties, what the update changes, whether that replaces the resource)
PLAIN: dict[str, tuple[str, dict[str, Any], dict[str, Any], bool]] = {
    "Key": ("KMS::Key", {"KeyPolicy": READS}, {"EnableKeyRotation": True, "Description": "new"}, False),
    "KeyAlias": ("KMS::Alias", {"AliasName": "alias/one", "TargetKeyId": arn("Key")}, {"AliasName": "alias/two"}, True),
    "Bucket": (
        "S3::Bucket",
        {
            "VersioningConfiguration": {"Status": "Enabled"},
            "CorsConfiguration": {"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
            "LifecycleConfiguration": {"Rules": [{"Id": "a", "Status": "Enabled", "ExpirationInDays": 1}]},
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
        },
        {"CorsConfiguration": None, "Tags": [{"Key": "a", "Value": "b"}]},
        False,
    ),
    "BucketPolicy": (
        "S3::BucketPolicy",
        {"Bucket": ref("Bucket"), "PolicyDocument": READS},
        {"PolicyDocument": WRITES},
        False,
    ),
    "Role": (
        "IAM::Role",
        {
            "AssumeRolePolicyDocument": ASSUMABLE,
            "Policies": [{"PolicyName": "a", "PolicyDocument": READS}],
            "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        },
        {"Policies": [{"PolicyName": "b", "PolicyDocument": READS}], "ManagedPolicyArns": None, "Description": "new"},
        False,
    ),
    "Policy": (
        "IAM::Policy",
        {"PolicyName": "one", "PolicyDocument": READS, "Roles": [ref("Role")]},
        {"PolicyName": "two", "PolicyDocument": WRITES},
        False,
    ),
    "ManagedPolicy": (
        "IAM::ManagedPolicy",
        {"PolicyDocument": READS, "Roles": [ref("Role")]},
        {"PolicyDocument": WRITES},
        False,
    ),
    "Parameter": ("SSM::Parameter", {"Type": "String", "Value": "one"}, {"Value": "two"}, False),
    "LogGroup": ("Logs::LogGroup", {"RetentionInDays": 7}, {"RetentionInDays": None}, False),
    "LogPolicy": (
        "Logs::ResourcePolicy",
        {"PolicyName": "p", "PolicyDocument": json.dumps(READS)},
        {"PolicyDocument": json.dumps(WRITES)},
        False,
    ),
    "Function": (
        "Lambda::Function",
        {
            "Code": {"ZipFile": "def handler(event, context): return 1"},
            "Handler": "index.handler",
            "Role": arn("Role"),
            "Runtime": "python3.12",
            "Timeout": 5,
            "ReservedConcurrentExecutions": 2,
        },
        {"MemorySize": 256, "Timeout": None, "ReservedConcurrentExecutions": None},
        False,
    ),
    "Permission": (
        "Lambda::Permission",
        {"FunctionName": arn("Function"), "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"},
        {"Principal": "events.amazonaws.com"},
        True,
    ),
    "Version": ("Lambda::Version", {"FunctionName": ref("Function")}, {"Description": "another"}, True),
    "FunctionAlias": (
        "Lambda::Alias",
        {
            "FunctionName": ref("Function"),
            "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
            "Name": "live",
        },
        {"Description": "new"},
        False,
    ),
    "InvokeConfig": (
        "Lambda::EventInvokeConfig",
        {"FunctionName": ref("Function"), "Qualifier": "$LATEST", "MaximumRetryAttempts": 1},
        {"MaximumRetryAttempts": 0},
        False,
    ),
    "Topic": ("SNS::Topic", {"DisplayName": "one"}, {"DisplayName": "two"}, False),
    "TopicPolicy": (
        "SNS::TopicPolicy",
        {"Topics": [ref("Topic")], "PolicyDocument": READS},
        {"PolicyDocument": WRITES},
        False,
    ),
    "Queue": ("SQS::Queue", {"VisibilityTimeout": 30}, {"VisibilityTimeout": 60}, False),
    "QueuePolicy": (
        "SQS::QueuePolicy",
        {"Queues": [ref("Queue")], "PolicyDocument": READS},
        {"PolicyDocument": WRITES},
        False,
    ),
    "Subscription": (
        "SNS::Subscription",
        {"TopicArn": ref("Topic"), "Protocol": "sqs", "Endpoint": arn("Queue")},
        {"RawMessageDelivery": True},
        False,
    ),
    "Rule": (
        "Events::Rule",
        {"EventPattern": {"source": ["x"]}, "Targets": [{"Id": "a", "Arn": arn("Queue")}]},
        {"Targets": [{"Id": "b", "Arn": arn("Queue")}]},
        False,
    ),
    "Schedule": (
        "Scheduler::Schedule",
        {
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ScheduleExpression": "rate(1 day)",
            "Target": {"Arn": arn("Queue"), "RoleArn": arn("Role")},
        },
        {"ScheduleExpression": "rate(2 days)"},
        False,
    ),
    "Machine": (
        "StepFunctions::StateMachine",
        {
            "RoleArn": arn("Role"),
            "DefinitionString": '{"StartAt": "${First}", "States": {"A": {"Type": "Pass", "End": true}}}',
            "DefinitionSubstitutions": {"First": "A"},
        },
        {"Definition": {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": True}}}, "DefinitionString": None},
        False,
    ),
    "Repository": (
        "ECR::Repository",
        {"RepositoryPolicyText": READS},
        {"ImageTagMutability": "IMMUTABLE", "LifecyclePolicy": {"LifecyclePolicyText": json.dumps(EXPIRE)}},
        False,
    ),
    "UserPool": ("Cognito::UserPool", {"UserPoolName": "one"}, {"MfaConfiguration": "OFF"}, False),
    "UserPoolClient": (
        "Cognito::UserPoolClient",
        {"UserPoolId": ref("UserPool")},
        {"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"]},
        False,
    ),
    "Alarm": (
        "CloudWatch::Alarm",
        {
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": "3",
            "MetricName": "Errors",
            "Namespace": "AWS/Lambda",
            "Period": 60,
            "Statistic": "Sum",
            "Threshold": 1,
        },
        {"Threshold": 2},
        False,
    ),
    "Api": ("ApiGateway::RestApi", {"Name": "one"}, {"Name": "two", "Description": "new"}, False),
    "Path": (
        "ApiGateway::Resource",
        {"RestApiId": ref("Api"), "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "PathPart": "one"},
        {},
        False,
    ),
    "Validator": (
        "ApiGateway::RequestValidator",
        {"RestApiId": ref("Api"), "ValidateRequestBody": True},
        {"ValidateRequestBody": False},
        False,
    ),
    "Schema": (
        "ApiGateway::Model",
        {"RestApiId": ref("Api"), "ContentType": "application/json", "Schema": {"type": "object"}},
        {"Schema": {"type": "array"}},
        False,
    ),
    "Authorizer": (
        "ApiGateway::Authorizer",
        {
            "RestApiId": ref("Api"),
            "Name": "one",
            "Type": "COGNITO_USER_POOLS",
            "ProviderARNs": [arn("UserPool")],
            "IdentitySource": "method.request.header.Authorization",
        },
        {"AuthorizerResultTtlInSeconds": 60},
        False,
    ),
    "Method": (
        "ApiGateway::Method",
        {
            "RestApiId": ref("Api"),
            "ResourceId": ref("Path"),
            "HttpMethod": "POST",
            "AuthorizationType": "NONE",
            "RequestValidatorId": ref("Validator"),
            "RequestModels": {"application/json": ref("Schema")},
            "MethodResponses": [{"StatusCode": "200"}],
            "Integration": {
                "Type": "MOCK",
                "TimeoutInMillis": "2000",
                "RequestTemplates": {"application/json": '{"statusCode": 200}'},
                "IntegrationResponses": [{"StatusCode": 200}],
            },
        },
        {"ApiKeyRequired": True},
        False,
    ),
    "Answer": (
        "ApiGateway::GatewayResponse",
        {"RestApiId": ref("Api"), "ResponseType": "DEFAULT_4XX"},
        {"ResponseTemplates": {"application/json": "{}"}},
        False,
    ),
    "Deployment": ("ApiGateway::Deployment", {"RestApiId": ref("Api")}, {}, False),
    "Stage": (
        "ApiGateway::Stage",
        {
            "RestApiId": ref("Api"),
            "DeploymentId": ref("Deployment"),
            "StageName": "live",
            "Variables": {"a": "b"},
            "MethodSettings": [{"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 1}],
        },
        {
            "Variables": {"c": "d"},
            "TracingEnabled": True,
            "MethodSettings": [{"ResourcePath": "/one", "HttpMethod": "POST", "ThrottlingBurstLimit": 3}],
            "AccessLogSetting": {"DestinationArn": arn("LogGroup"), "Format": "$context.requestId"},
        },
        False,
    ),
    "Account": ("ApiGateway::Account", {"CloudWatchRoleArn": arn("Role")}, {}, False),
    "ApiKey": ("ApiGateway::ApiKey", {"Enabled": True}, {"Enabled": False}, False),
    "UsagePlan": (
        "ApiGateway::UsagePlan",
        {"ApiStages": [{"ApiId": ref("Api"), "Stage": ref("Stage")}], "Throttle": {"RateLimit": 1, "BurstLimit": 1}},
        {"Throttle": {"RateLimit": 2, "BurstLimit": 2}, "Description": "new", "ApiStages": None},
        False,
    ),
    "UsagePlanKey": (
        "ApiGateway::UsagePlanKey",
        {"KeyId": ref("ApiKey"), "KeyType": "API_KEY", "UsagePlanId": ref("UsagePlan")},
        {},
        False,
    ),
    "PackageGroup": (
        "SageMaker::ModelPackageGroup",
        {"ModelPackageGroupName": "group"},
        {"Tags": [{"Key": "a", "Value": "b"}]},
        False,
    ),
    "Package": (
        "SageMaker::ModelPackage",
        {
            "ModelPackageGroupName": "group",
            "ModelApprovalStatus": "PendingManualApproval",
            "InferenceSpecification": {
                "Containers": [{"Image": IMAGE}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        },
        {"ModelApprovalStatus": "Approved"},
        False,
    ),
    "NotebookConfig": (
        "SageMaker::NotebookInstanceLifecycleConfig",
        {"OnStart": [{"Content": "ZWNobw=="}]},
        {"OnStart": [{"Content": "ZWNobw=="}, {"Content": "ZWNobw=="}]},
        False,
    ),
    "Notebook": ("SageMaker::NotebookInstance", {"InstanceType": "ml.t3.medium", "RoleArn": arn("Role")}, {}, False),
    "Vpc": ("EC2::VPC", {"CidrBlock": "10.0.0.0/16"}, {"EnableDnsSupport": True}, False),
    "Handle": ("CloudFormation::WaitConditionHandle", {}, {}, False),
}
DEPENDS = {"Deployment": "Method", "Package": "PackageGroup"}
# These have tests of their own, below or in the CLI's test, or take a layer's archive in S3.
ELSEWHERE = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudFormation::CustomResource",
    "AWS::Lambda::LayerVersion",
    "AWS::SageMaker::Endpoint",
    "AWS::SageMaker::EndpointConfig",
    "AWS::SageMaker::Model",
    "Custom::*",
}


def template(*, updated: bool) -> str:
    resources = {}
    for name, (type_name, properties, changes, _) in PLAIN.items():
        wanted = copy.deepcopy(properties) | tags_of(f"AWS::{type_name}", "new" if updated else "old")
        wanted |= changes if updated else {}
        wanted = {key: value for key, value in wanted.items() if value is not None}
        resources[name] = {"Type": f"AWS::{type_name}", "Properties": wanted}
        if name in DEPENDS:
            resources[name]["DependsOn"] = DEPENDS[name]
    return json.dumps({"Resources": resources})


def tags_of(type_name: str, value: str) -> dict[str, Any]:
    """Return tags in the shape that the type's schema has, if it has any."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_name).schema
    tags = schema["properties"].get("Tags")
    if tags is None or "/properties/Tags" in schema.get("createOnlyProperties", []):
        return {}
    return {"Tags": [{"Key": "a", "Value": value}] if tags.get("type") == "array" else {"a": value}}


class Stacks:
    """Creates, updates and deletes stacks by boto3, and waits."""

    def __init__(self, runtime: Runtime) -> None:
        self._client = runtime.client("cloudformation")

    def status(self, name: str) -> str:
        return str(self._client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    def create(self, name: str, body: str) -> str:
        arn = self._client.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        return self._settle("stack_create_complete", str(arn["StackId"]))

    def update(self, name: str, body: str) -> str:
        self._client.update_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        return self._settle("stack_update_complete", name)

    def delete(self, name: str) -> str:
        stack_id = self._client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self._client.delete_stack(StackName=name)
        return self._settle("stack_delete_complete", stack_id)

    def _settle(self, waiter: str, name: str) -> str:
        with suppress(WaiterError):  # the status says what happened
            self._client.get_waiter(waiter).wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        return self.status(name)

    def physical_ids(self, name: str) -> dict[str, str]:
        found = self._client.describe_stack_resources(StackName=name)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}

    def reasons(self, name: str) -> str:
        events = self._client.describe_stack_events(StackName=name)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        return "\n".join(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed)


@pytest.fixture
def stacks(live: Runtime) -> Stacks:
    return Stacks(live)


def test_every_emulated_type_has_a_test() -> None:
    emulated = {name for name, entry in registered().items() if not entry.inert} - {"AWS::CDK::Metadata"}
    tested = {f"AWS::{type_name}" for type_name, *_ in PLAIN.values()} | ELSEWHERE
    assert emulated - tested == set()


def test_types_are_created_changed_replaced_and_deleted(stacks: Stacks) -> None:
    assert stacks.create("types", template(updated=False)) == "CREATE_COMPLETE", stacks.reasons("types")
    before = stacks.physical_ids("types")
    assert before.keys() == PLAIN.keys()
    assert stacks.update("types", template(updated=True)) == "UPDATE_COMPLETE", stacks.reasons("types")
    after = stacks.physical_ids("types")
    replaced = {name for name in before if before[name] != after[name]}
    assert replaced == {name for name, (*_, replaces) in PLAIN.items() if replaces}
    assert stacks.reasons("types") == ""
    stack_id = stacks._client.describe_stacks(StackName="types")["Stacks"][0]["StackId"]
    assert stacks.delete("types") == "DELETE_COMPLETE", stacks.reasons(stack_id)


@pytest.fixture
def artifact(live: Runtime, tmp_path: Path) -> Iterator[str]:
    model = LinearModel(
        predictor_type="regressor",
        weights=np.ones((2, 1), dtype=np.float32),
        bias=np.zeros(1, dtype=np.float32),
        loss_type="squared_loss",
    )
    write_artifact(model, tmp_path / "model.tar.gz")
    client = live.client("s3")
    client.create_bucket(Bucket="models")
    client.upload_file(str(tmp_path / "model.tar.gz"), "models", "model.tar.gz")
    yield "s3://models/model.tar.gz"
    client.delete_object(Bucket="models", Key="model.tar.gz")
    client.delete_bucket(Bucket="models")


def serving(model_data_url: str, *, count: int = 1, instance_type: str = "ml.m5.large", name: str = "endpoint") -> str:
    variant = {
        "VariantName": "main",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InstanceType": instance_type,
        "InitialInstanceCount": count,
    }
    target = {
        "MaxCapacity": 3,
        "MinCapacity": 1,
        "ResourceId": f"endpoint/{name}/variant/main",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ServiceNamespace": "sagemaker",
    }
    resources = {
        "Model": {
            "Type": "AWS::SageMaker::Model",
            "Properties": {
                "ExecutionRoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/x",
                "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": model_data_url},
            },
        },
        "Config": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [variant]}},
        "Endpoint": {
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {
                "EndpointName": name,
                "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
                "RetainAllVariantProperties": True,
            },
        },
        "Target": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "DependsOn": "Endpoint",
            "Properties": target,
        },
        "Policy": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {
                "PolicyName": "policy",
                "PolicyType": "TargetTrackingScaling",
                "ScalingTargetId": {"Ref": "Target"},
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": "30000",
                    "PredefinedMetricSpecification": {
                        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance",
                    },
                },
            },
        },
    }
    return json.dumps({"Resources": resources})


def test_endpoint_is_updated_first_and_its_old_config_and_model_go_last(
    stacks: Stacks, live: Runtime, artifact: str
) -> None:
    sagemaker = live.client("sagemaker")
    assert stacks.create("serving", serving(artifact)) == "CREATE_COMPLETE", stacks.reasons("serving")
    before = sagemaker.describe_endpoint(EndpointName="endpoint")
    assert stacks.update("serving", serving(artifact, count=3)) == "UPDATE_COMPLETE", stacks.reasons("serving")
    after = sagemaker.describe_endpoint(EndpointName="endpoint")
    assert after["EndpointConfigName"] != before["EndpointConfigName"]
    assert after["ProductionVariants"][0]["CurrentInstanceCount"] == 1  # retained
    configs = [config["EndpointConfigName"] for config in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    assert configs == [after["EndpointConfigName"]]

    # AWS refuses another instance type under a registered scalable target.
    body = serving(artifact, count=3, instance_type="ml.m5.xlarge")
    assert stacks.update("serving", body) == "UPDATE_ROLLBACK_COMPLETE"
    assert "must be deregistered" in stacks.reasons("serving")
    assert sagemaker.describe_endpoint(EndpointName="endpoint")["EndpointStatus"] == "InService"

    # An artifact that cannot be loaded: the update fails, the old configuration goes on serving.
    live.client("s3").put_object(Bucket="models", Key="broken.tar.gz", Body=b"no archive")
    assert stacks.update("serving", serving("s3://models/broken.tar.gz", count=3)) == "UPDATE_ROLLBACK_COMPLETE"
    served = sagemaker.describe_endpoint(EndpointName="endpoint")
    assert (served["EndpointStatus"], served["EndpointConfigName"]) == ("InService", after["EndpointConfigName"])
    live.client("s3").delete_object(Bucket="models", Key="broken.tar.gz")

    assert stacks.delete("serving") == "DELETE_COMPLETE"
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_models()["Models"] == []


def test_endpoint_that_never_serves_fails_the_stack_with_its_reason_and_is_deleted(
    stacks: Stacks, live: Runtime
) -> None:
    live.client("s3").create_bucket(Bucket="broken")
    live.client("s3").put_object(Bucket="broken", Key="model.tar.gz", Body=b"no archive")
    assert stacks.create("failing", serving("s3://broken/model.tar.gz", name="failing")) == "ROLLBACK_COMPLETE"
    assert "Endpoint: Endpoint failing is Failed" in stacks.reasons("failing")
    assert live.client("sagemaker").list_endpoints()["Endpoints"] == []


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


ANSWER = """
import json, urllib.request
def handler(event, context):
    keys = ("StackId", "RequestId", "LogicalResourceId")
    answer = {"Status": "SUCCESS", "PhysicalResourceId": "x", **{key: event[key] for key in keys}, "Data": DATA}
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data=body, method="PUT"))
"""


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("raises", "def handler(event, context): raise ValueError('no luck')", "no luck"),
        ("unimportable", "import nothing_of_that_name", "nothing_of_that_name"),
        (
            "silent",
            "def handler(event, context): pass",
            "did not receive a response from your Custom Resource within 1 s",
        ),
        ("verbose", ANSWER.replace("DATA", '{"Text": "x" * 5000}'), "Response object is too long"),
        ("mute", ANSWER.replace("DATA", "{}"), "Vendor response doesn't contain Text attribute"),
        ("fine", ANSWER.replace("DATA", '{"Text": event["ResourceProperties"]["Number"]}'), ""),
    ],
)
def test_custom_resource_follows_the_protocol(stacks: Stacks, name: str, code: str, reason: str) -> None:
    function = {"Code": {"ZipFile": code}, "Handler": "index.handler", "Role": arn("Role"), "Runtime": "python3.12"}
    custom = {"ServiceToken": arn("Function"), "ServiceTimeout": 1 if name == "silent" else 30, "Number": 3}
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": ASSUMABLE}},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Thing": {"Type": "Custom::Thing", "Properties": custom},
        "Uses": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": {"Fn::GetAtt": ["Thing", "Text"]}},
        },
    }
    status = stacks.create(name, json.dumps({"Resources": resources}))
    assert reason in stacks.reasons(name)
    # A function that cannot answer Create cannot answer Delete either.
    assert status == {"fine": "CREATE_COMPLETE", "mute": "ROLLBACK_COMPLETE"}.get(name, "ROLLBACK_FAILED")
