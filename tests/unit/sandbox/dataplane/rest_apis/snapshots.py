"""Snapshots of REST APIs as the sandbox's server pushes them to the data plane."""

from typing import Any

JSON = b"application/json"
CONTENT_TYPE = "integration.response.header.Content-Type"
CREDENTIALS = {"AKIATEST": "very-secret"}


def sagemaker(**changes: Any) -> Any:
    return {
        "type": "AWS",
        "uri": "arn:aws:apigateway:us-east-1:runtime.sagemaker:path/endpoints/kdd/invocations",
        "passthrough": "NEVER",
        "templates": {"text/csv": "$input.body", "application/json": "$input.body"},
        "parameters": {"integration.request.header.Content-Type": "method.request.header.Content-Type"},
        "timeout_ms": 29_000,
        "responses": [
            {
                "status": status,
                "pattern": pattern,
                "templates": {},
                "parameters": {"method.response.header.Content-Type": CONTENT_TYPE},
            }
            for status, pattern in (("200", r"2\d{2}"), ("424", "424"), ("500", None))
        ],
        **changes,
    }


def lambda_proxy(**changes: Any) -> Any:
    function = "arn:aws:lambda:us-east-1:123456789012:function:predict"
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    nothing = {"passthrough": "WHEN_NO_MATCH", "templates": {}, "parameters": {}, "responses": []}
    return {"type": "AWS_PROXY", "uri": uri, "timeout_ms": 29_000, **nothing, **changes}


def method(path: Any = "/invocations", verb: Any = "POST", integration: Any = None, **changes: Any) -> Any:
    return {
        "path": path,
        "resource_id": "r1",
        "method": verb,
        "authorization": "NONE",
        "api_key_required": False,
        "user_pools": [],
        "required_parameters": [],
        "body_models": {},
        "throttle": None,
        "integration": integration or sagemaker(),
        **changes,
    }


def snapshot(*methods: Any, **changes: Any) -> Any:
    return {
        "account_id": "123456789012",
        "region": "us-east-1",
        "deployment_id": "d1",
        "stage_variables": {},
        "methods": list(methods) or [method()],
        "models": {},
        "gateway_responses": {},
        "usage_plans": [],
        "credentials": CREDENTIALS,
        "user_pool_keys": {"keys": []},
        **changes,
    }
