"""The resource types of a REST API: its methods, what it validates, its stage, its keys."""

from __future__ import annotations

from tests.integration.sandbox.provisioners.plain_types import Case, arn, ref

# by logical id; the roles, pools and groups are PLAIN's
REST_API: dict[str, Case] = {
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
}
