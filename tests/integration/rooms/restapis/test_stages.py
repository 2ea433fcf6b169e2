"""A stage serves what its deployment froze; what belongs to the stage takes effect at once."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

RECORD = {"type": "object", "required": ["duration"], "properties": {"duration": {"type": "number"}}}


def refused(call: Any, **arguments: Any) -> Any:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]


def test_deployment_is_served_and_later_changes_are_not(api: Any) -> None:
    health = api.resource("health")
    api.mock(health, body='{"version":1}')
    api.deploy("v1")
    assert json.loads(api.call("/health").body) == {"version": 1}

    api.mock(health, body='{"version":2}')
    assert json.loads(api.call("/health").body) == {"version": 1}

    second = api.deploy()
    assert json.loads(api.call("/health").body) == {"version": 1}
    operation = {"op": "replace", "path": "/deploymentId", "value": second}
    api.gateway.update_stage(restApiId=api.id, stageName="v1", patchOperations=[operation])
    assert json.loads(api.call("/health").body) == {"version": 2}


def test_stages_serve_different_deployments(api: Any) -> None:
    health = api.resource("health")
    api.mock(health, body='{"version":1}')
    first = api.deploy()
    api.mock(health, body='{"version":2}')
    second = api.deploy()
    for stage, deployment in (("old", first), ("new", second)):
        api.gateway.create_stage(restApiId=api.id, stageName=stage, deploymentId=deployment)

    answers = [json.loads(api.call("/health", stage=stage).body)["version"] for stage in ("old", "new")]

    assert answers == [1, 2]


def test_deleted_stage_and_deleted_api_are_forbidden(api: Any) -> None:
    api.mock(api.root, body="{}")
    api.deploy("v1")
    api.deploy("v2")
    assert [api.call("/", stage=stage).status for stage in ("v1", "v2")] == [200, 200]

    api.gateway.delete_stage(restApiId=api.id, stageName="v1")
    assert [api.call("/", stage=stage).status for stage in ("v1", "v2")] == [403, 200]
    api.gateway.delete_rest_api(restApiId=api.id)
    assert api.call("/", stage="v2").status == 403


def test_deployment_that_a_stage_serves_is_not_deleted(api: Any) -> None:
    api.mock(api.root)
    deployment = api.deploy()
    api.gateway.create_stage(restApiId=api.id, stageName="v1", deploymentId=deployment)

    error = refused(api.gateway.delete_deployment, restApiId=api.id, deploymentId=deployment)
    api.gateway.delete_stage(restApiId=api.id, stageName="v1")
    api.gateway.delete_deployment(restApiId=api.id, deploymentId=deployment)

    assert "Active stages" in error["Message"]


def test_stage_of_an_unknown_deployment_is_refused(api: Any) -> None:
    api.mock(api.root)
    api.deploy("v1")
    operation = {"op": "replace", "path": "/deploymentId", "value": "nothing"}

    for error in (
        refused(api.gateway.create_stage, restApiId=api.id, stageName="v2", deploymentId="nothing"),
        refused(api.gateway.update_stage, restApiId=api.id, stageName="v1", patchOperations=[operation]),
    ):
        assert error["Code"] == "NotFoundException"
    assert api.call("/").status == 200


def test_deployment_of_what_is_not_emulated_is_refused_by_name(api: Any) -> None:
    place = api.mock(api.root)
    place["httpMethod"] = "POST"
    api.gateway.put_method(**place, authorizationType="NONE")
    api.gateway.put_integration(**place, type="HTTP_PROXY", uri="https://example.com/", integrationHttpMethod="POST")

    error = refused(api.gateway.create_deployment, restApiId=api.id)

    assert error["Code"] == "BadRequestException"
    assert "POST /: integration HTTP_PROXY https://example.com/ is not emulated" in error["Message"]


def test_deployment_with_a_method_without_integration_is_refused(api: Any) -> None:
    api.mock(api.root)
    api.gateway.put_method(restApiId=api.id, resourceId=api.root, httpMethod="PUT", authorizationType="NONE")

    assert "No integration defined" in refused(api.gateway.create_deployment, restApiId=api.id)["Message"]


def test_methods_are_throttled_as_their_stage_says(api: Any) -> None:
    api.mock(api.root)
    api.mock(api.resource("free"))
    api.deploy("v1")

    def set_limits(op: Any, path: Any, rate: Any = "0.001", burst: Any = "2") -> None:
        values = {"rateLimit": rate, "burstLimit": burst}
        operations = [
            {"op": op, "path": f"{path}/throttling/{name}", **({"value": value} if op == "replace" else {})}
            for name, value in values.items()
        ]
        api.gateway.update_stage(restApiId=api.id, stageName="v1", patchOperations=operations)

    set_limits("replace", "/*/*")
    set_limits("replace", "/~1free/GET", rate="1000", burst="1000")
    assert [api.call("/").status for _ in range(3)] == [200, 200, 429]
    assert {api.call("/free").status for _ in range(5)} == {200}

    set_limits("remove", "/~1free/GET")
    assert [api.call("/free").status for _ in range(3)] == [200, 200, 429]
    set_limits("remove", "/*/*")
    assert {api.call("/free").status for _ in range(5)} == {200}


def test_keys_and_plans_take_effect_without_a_deployment(api: Any, name: Any) -> None:
    api.mock(api.root, apiKeyRequired=True)
    api.deploy("v1")
    value = f"{name}-0123456789-0123456789"
    key = api.gateway.create_api_key(name=name, value=value, enabled=True)["id"]
    headers = {"x-api-key": value}
    assert api.call("/", headers=headers).status == 403

    stages = [{"apiId": api.id, "stage": "v1"}]
    throttle = {"rateLimit": 1000.0, "burstLimit": 100}
    plan = api.gateway.create_usage_plan(
        name=name, apiStages=stages, throttle=throttle, quota={"limit": 5, "period": "MONTH"}
    )["id"]
    api.gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    assert api.call("/", headers=headers).status == 200
    assert api.call("/").status == 403

    for enabled, status in (("false", 403), ("true", 200)):
        operation = {"op": "replace", "path": "/enabled", "value": enabled}
        api.gateway.update_api_key(apiKey=key, patchOperations=[operation])
        assert api.call("/", headers=headers).status == status

    faster = {"op": "replace", "path": "/throttle/rateLimit", "value": "1500.5"}
    changed = api.gateway.update_usage_plan(usagePlanId=plan, patchOperations=[faster])
    assert changed["throttle"] == {"rateLimit": 1500.5, "burstLimit": 100}

    assert [api.call("/", headers=headers).status for _ in range(4)] == [200, 200, 200, 429]  # two were used above
    api.gateway.delete_usage_plan_key(usagePlanId=plan, keyId=key)
    assert api.call("/", headers=headers).status == 403


def test_requests_are_validated_by_the_validators_model(api: Any) -> None:
    validator = api.gateway.create_request_validator(
        restApiId=api.id, name="all", validateRequestBody=True, validateRequestParameters=True
    )["id"]
    api.gateway.create_model(restApiId=api.id, name="Record", contentType="application/json", schema=json.dumps(RECORD))
    api.mock(
        api.root,
        "POST",
        requestValidatorId=validator,
        requestModels={"application/json": "Record"},
        requestParameters={"method.request.header.X-Tenant": True, "method.request.querystring.trace": False},
    )
    api.deploy("v1")
    tenant = {"X-Tenant": "a"}

    assert api.call("/", "POST", b'{"duration":1}', headers=tenant).status == 200
    wrong = api.call("/", "POST", b'{"duration":"long"}', headers=tenant)
    assert (wrong.status, json.loads(wrong.body)) == (400, {"message": "Invalid request body"})
    missing = api.call("/", "POST", b'{"duration":1}')
    assert json.loads(missing.body) == {"message": "Missing required request parameters: [X-Tenant]"}


def test_model_that_is_not_there_is_named(api: Any) -> None:
    validator = api.gateway.create_request_validator(restApiId=api.id, name="body", validateRequestBody=True)["id"]
    api.mock(api.root, "POST", requestValidatorId=validator, requestModels={"application/json": "Nothing"})

    error = refused(api.gateway.create_deployment, restApiId=api.id)

    assert "POST /: there is no model Nothing" in error["Message"]


def test_gateway_response_is_the_apis_own(api: Any) -> None:
    api.mock(api.root)
    api.gateway.put_gateway_response(
        restApiId=api.id,
        responseType="MISSING_AUTHENTICATION_TOKEN",
        statusCode="404",
        responseParameters={"gatewayresponse.header.X-Reason": "'unknown'"},
        responseTemplates={"application/json": '{"reason":$context.error.messageString}'},
    )
    api.deploy("v1")

    answer = api.call("/nothing")

    assert (answer.status, json.loads(answer.body)) == (404, {"reason": "Missing Authentication Token"})
    assert answer.headers["X-Reason"] == "unknown"


def test_endpoint_integration_keeps_what_was_put(api: Any) -> None:
    place = {"restApiId": api.id, "resourceId": api.resource("invocations"), "httpMethod": "POST"}
    api.gateway.put_method(
        **place, authorizationType="NONE", requestParameters={"method.request.header.Content-Type": False}
    )
    api.gateway.put_integration(
        **place,
        type="AWS",
        integrationHttpMethod="POST",
        uri="arn:aws:apigateway:us-east-1:runtime.sagemaker:path/endpoints/nobody/invocations",
        passthroughBehavior="NEVER",
        requestTemplates={"text/csv": "$input.body"},
        requestParameters={"integration.request.header.Content-Type": "method.request.header.Content-Type"},
        timeoutInMillis=5000,
    )
    for status, pattern in (("422", "4\\d{2}"), ("500", None)):
        optional = {"selectionPattern": pattern} if pattern else {}
        api.gateway.put_integration_response(**place, statusCode=status, **optional)
    api.deploy("v1")

    refused_type = api.call("/invocations", "POST", b"{}")
    unknown_endpoint = api.call("/invocations", "POST", b"1,2", headers={"Content-Type": "text/csv"})

    assert refused_type.status == 415
    assert unknown_endpoint.status == 422
    assert "Endpoint nobody of account 123456789012 not found" in unknown_endpoint.body


def test_signed_request_is_let_in(api: Any, runtime: Any) -> None:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    api.mock(api.root, authorizationType="AWS_IAM")
    api.deploy("v1")
    environment = runtime.environment()
    credentials = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    request = AWSRequest("GET", f"{runtime.dataplane_url}/restapis/{api.id}/v1/_user_request_/")
    SigV4Auth(credentials, "execute-api", runtime.region).add_auth(request)

    assert api.call("/").status == 403
    assert api.call("/", headers=dict(request.headers)).status == 200
