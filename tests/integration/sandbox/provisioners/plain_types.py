"""Resource types that one stack makes, changes and removes: everything but REST APIs and endpoints."""

from __future__ import annotations

import json
from typing import Any

# type, properties, what the update changes, whether that replaces the resource
Case = tuple[str, dict[str, Any], dict[str, Any], bool]

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


# by logical id
PLAIN: dict[str, Case] = {
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
