"""API Gateway: the definition of a REST API. OpenAPI bodies are refused; the data plane serves what is deployed."""

from __future__ import annotations

import uuid
from typing import Any

from sandbox.cloudformation.provisioner import Outcome, Provisioner, Request, provisions

_MODEL = ("RestApiId", "Description", "Schema")
_API_PATHS = {
    "Name": "/name",
    "Description": "/description",
    "Policy": "/policy",
    "ApiKeySourceType": "/apiKeySource",
}
_AUTHORIZER_PATHS = {
    "AuthorizerUri": "/authorizerUri",
    "AuthorizerCredentials": "/authorizerCredentials",
    "AuthorizerResultTtlInSeconds": "/authorizerResultTtlInSeconds",
    "AuthType": "/authType",
    "IdentitySource": "/identitySource",
    "IdentityValidationExpression": "/identityValidationExpression",
    "Name": "/name",
}
_METHOD = ("RestApiId", "ResourceId", "HttpMethod")


def replace_operations(request: Request, paths: dict[str, str]) -> list[dict[str, Any]]:
    """Return the patch operations for the changed properties among `paths` (property name to patch path)."""
    changed = [name for name in paths if request.changed(name)]
    return [{"op": "replace", "path": paths[name], "value": request.properties.get(name, "")} for name in changed]


@provisions("AWS::ApiGateway::RestApi")
class RestApi(Provisioner):
    """An API."""

    replaced_by = frozenset()
    updated_in_place = frozenset(_API_PATHS)

    def create(self, request: Request) -> Outcome:
        """CreateRestApi."""
        arguments = {"ApiKeySource": source} if (source := request.properties.get("ApiKeySourceType")) else {}
        made = request.call_with_all("apigateway", "create_rest_api", "ApiKeySourceType", **arguments)
        return self._outcome(request, made["id"])

    def update(self, request: Request) -> Outcome:
        """UpdateRestApi."""
        operations = replace_operations(request, _API_PATHS)
        request.call("apigateway", "update_rest_api", RestApiId=request.physical_id, PatchOperations=operations)
        return self._outcome(request, request.physical_id)

    def delete(self, request: Request) -> None:
        """DeleteRestApi."""
        request.call("apigateway", "delete_rest_api", RestApiId=request.physical_id)

    def _outcome(self, request: Request, api_id: str) -> Outcome:
        resources = request.client("apigateway").get_resources(restApiId=api_id)["items"]
        root = next(resource["id"] for resource in resources if resource["path"] == "/")
        return Outcome(api_id, {"RestApiId": api_id, "RootResourceId": root})


@provisions("AWS::ApiGateway::Resource")
class Resource(Provisioner):
    """A path part."""

    def create(self, request: Request) -> Outcome:
        """CreateResource."""
        resource_id = request.call_with_all("apigateway", "create_resource")["id"]
        return Outcome(resource_id, {"ResourceId": resource_id})

    def delete(self, request: Request) -> None:
        """DeleteResource."""
        request.call("apigateway", "delete_resource", "RestApiId", ResourceId=request.physical_id)


@provisions("AWS::ApiGateway::Method")
class Method(Provisioner):
    """A method with its integration and their responses."""

    replaced_by = frozenset(_METHOD)

    def create(self, request: Request) -> Outcome:
        """PutMethod, PutIntegration and their responses."""
        properties = request.properties
        request.call_with_all("apigateway", "put_method", "Integration", "MethodResponses")
        for response in properties.get("MethodResponses", []):
            request.call("apigateway", "put_method_response", *_METHOD, **response)
        if integration := dict(properties.get("Integration", {})):
            responses = integration.pop("IntegrationResponses", [])
            if "TimeoutInMillis" in integration:
                integration["TimeoutInMillis"] = int(integration["TimeoutInMillis"])
            request.call("apigateway", "put_integration", *_METHOD, **integration)
            for response in responses:
                request.call("apigateway", "put_integration_response", *_METHOD, **response)
        return Outcome("|".join(properties[name] for name in _METHOD))

    def update(self, request: Request) -> Outcome:
        """Define the method anew; stages go on serving their deployment's snapshot."""
        request.call("apigateway", "delete_method", *_METHOD)
        return self.create(request)

    def delete(self, request: Request) -> None:
        """DeleteMethod."""
        request.call("apigateway", "delete_method", *_METHOD)


@provisions("AWS::ApiGateway::RequestValidator")
class RequestValidator(Provisioner):
    """Says what of a request is validated."""

    replaced_by = frozenset({"RestApiId", "Name"})

    def create(self, request: Request) -> Outcome:
        """CreateRequestValidator."""
        name = request.physical_name("Name")
        made = request.call_with_all("apigateway", "create_request_validator", "Name", Name=name)
        return Outcome(made["id"], {"RequestValidatorId": made["id"]})

    def update(self, request: Request) -> Outcome:
        """UpdateRequestValidator."""
        paths = {
            "ValidateRequestBody": "/validateRequestBody",
            "ValidateRequestParameters": "/validateRequestParameters",
        }
        request.call(
            "apigateway",
            "update_request_validator",
            "RestApiId",
            RequestValidatorId=request.physical_id,
            PatchOperations=replace_operations(request, paths),
        )
        return Outcome(request.physical_id, {"RequestValidatorId": request.physical_id})

    def delete(self, request: Request) -> None:
        """DeleteRequestValidator."""
        request.call("apigateway", "delete_request_validator", "RestApiId", RequestValidatorId=request.physical_id)


@provisions("AWS::ApiGateway::Model")
class Model(Provisioner):
    """A JSON schema."""

    replaced_by = frozenset({"RestApiId", "Name", "ContentType"})

    def create(self, request: Request) -> Outcome:
        """CreateModel, whose names are alphanumeric."""
        name = request.properties.get("Name") or f"{request.logical_id}{uuid.uuid4().hex[:12]}"
        content_type = request.properties.get("ContentType", "application/json")
        request.call("apigateway", "create_model", *_MODEL, Name=name, ContentType=content_type)
        return Outcome(name)

    def update(self, request: Request) -> Outcome:
        """Define it anew under its name."""
        self.delete(request)
        content_type = request.properties.get("ContentType", "application/json")
        request.call("apigateway", "create_model", *_MODEL, Name=request.physical_id, ContentType=content_type)
        return Outcome(request.physical_id)

    def delete(self, request: Request) -> None:
        """DeleteModel."""
        request.call("apigateway", "delete_model", "RestApiId", ModelName=request.physical_id)


@provisions("AWS::ApiGateway::GatewayResponse")
class GatewayResponse(Provisioner):
    """What the gateway itself answers."""

    replaced_by = frozenset({"RestApiId", "ResponseType"})

    def create(self, request: Request) -> Outcome:
        """PutGatewayResponse."""
        request.call_with_all("apigateway", "put_gateway_response")
        identifier = f"{request.properties['RestApiId']}|{request.properties['ResponseType']}"
        return Outcome(identifier, {"Id": identifier})

    def update(self, request: Request) -> Outcome:
        """PutGatewayResponse."""
        return self.create(request)

    def delete(self, request: Request) -> None:
        """DeleteGatewayResponse."""
        request.call("apigateway", "delete_gateway_response", "RestApiId", "ResponseType")


@provisions("AWS::ApiGateway::Authorizer")
class Authorizer(Provisioner):
    """Who may call."""

    replaced_by = frozenset({"RestApiId"})
    updated_in_place = frozenset(_AUTHORIZER_PATHS)

    def create(self, request: Request) -> Outcome:
        """CreateAuthorizer."""
        authorizer_id = request.call_with_all("apigateway", "create_authorizer")["id"]
        return Outcome(authorizer_id, {"AuthorizerId": authorizer_id})

    def update(self, request: Request) -> Outcome:
        """UpdateAuthorizer."""
        request.call(
            "apigateway",
            "update_authorizer",
            "RestApiId",
            AuthorizerId=request.physical_id,
            PatchOperations=replace_operations(request, _AUTHORIZER_PATHS),
        )
        return Outcome(request.physical_id, {"AuthorizerId": request.physical_id})

    def delete(self, request: Request) -> None:
        """DeleteAuthorizer."""
        request.call("apigateway", "delete_authorizer", "RestApiId", AuthorizerId=request.physical_id)
