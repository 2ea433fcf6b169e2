"""Logs of a REST API: who called and what came of it, and the errors of the gateway itself."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.constructs.acknowledgements import acknowledge_wildcards

ACCESS_LOG_FIELDS = {  # $context variables (API Gateway developer guide, "Variables for access logging")
    "time": "$context.requestTimeEpoch",
    "request": "$context.requestId",
    "trace": "$context.xrayTraceId",
    "ip": "$context.identity.sourceIp",
    "caller": "$context.identity.userArn",
    "method": "$context.httpMethod",
    "path": "$context.resourcePath",
    "status": "$context.status",
    "integration_status": "$context.integration.status",
    "latency_ms": "$context.responseLatency",
    "integration_latency_ms": "$context.integration.latency",
    "bytes": "$context.responseLength",
    "error": "$context.error.message",
}
# What API Gateway checks the account's role for (developer guide, "Permissions for CloudWatch logging").
LOG_ACTIONS = (
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    "logs:GetLogEvents",
    "logs:FilterLogEvents",
)


class AccessLog(logs.LogGroup):
    """Where a stage writes one JSON object a request."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id, removal_policy=RemovalPolicy.DESTROY)

    @property
    def stage_options(self) -> dict[str, Any]:
        """What the stage's options need."""
        return {
            "access_log_destination": apigateway.LogGroupLogDestination(self),
            "access_log_format": apigateway.AccessLogFormat.custom(json.dumps(ACCESS_LOG_FIELDS)),
            "logging_level": apigateway.MethodLoggingLevel.ERROR,
            "tracing_enabled": True,
        }


def keep_execution_log(api: apigateway.RestApi, stage_name: str) -> None:
    """Make the log group that API Gateway would make by itself, so that it expires and goes with the API."""
    group = logs.LogGroup(
        api,
        "ExecutionLog",
        log_group_name=f"API-Gateway-Execution-Logs_{api.rest_api_id}/{stage_name}",
        removal_policy=RemovalPolicy.DESTROY,
    )
    api.deployment_stage.node.add_dependency(group)


def let_api_gateway_log(scope: Construct, stage: apigateway.Stage) -> None:
    """Give API Gateway the role with which it writes logs: one for all APIs of an account and region."""
    role = iam.Role(scope, "LogRole", assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"))
    role.add_to_policy(iam.PolicyStatement(actions=list(LOG_ACTIONS), resources=["*"]))
    acknowledge_wildcards(role, {"*": "the role is the account's: it writes the logs of every API there"})
    account = apigateway.CfnAccount(scope, "LogAccount", cloud_watch_role_arn=role.role_arn)
    account.node.add_dependency(role)  # and on its policy: API Gateway checks what the role may do
    stage.node.add_dependency(account)
