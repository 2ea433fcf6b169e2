"""API Gateway: deployments, stages, keys and usage plans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.cloudformation.provisioner import Outcome, Provisioner, Request, provisions
from sandbox.cloudformation.provisioners.apigateway import replace_operations
from sandbox.runtime import ACCOUNT_ID

# API reference, UpdateStage: patch paths of method settings
_METHOD_SETTINGS = {
    "CacheDataEncrypted": "caching/dataEncrypted",
    "CacheTtlInSeconds": "caching/ttlInSeconds",
    "CachingEnabled": "caching/enabled",
    "DataTraceEnabled": "logging/dataTrace",
    "LoggingLevel": "logging/loglevel",
    "MetricsEnabled": "metrics/enabled",
    "ThrottlingBurstLimit": "throttling/burstLimit",
    "ThrottlingRateLimit": "throttling/rateLimit",
}
_STAGE_PATHS = {
    "DeploymentId": "/deploymentId",
    "Description": "/description",
    "TracingEnabled": "/tracingEnabled",
    "CacheClusterEnabled": "/cacheClusterEnabled",
    "CacheClusterSize": "/cacheClusterSize",
}


@provisions("AWS::ApiGateway::Deployment")
class Deployment(Provisioner):
    """A snapshot of the API's definition."""

    replaced_by = frozenset({"RestApiId", "DeploymentCanarySettings"})
    updated_in_place = frozenset()

    def create(self, request: Request) -> Outcome:
        """CreateDeployment; stages are resources of their own here."""
        if refused := sorted(request.properties.keys() & {"StageName", "StageDescription"}):
            raise ValueError(f"the sandbox wants an AWS::ApiGateway::Stage instead of a deployment's {refused}")
        deployment_id = request.call_with_all("apigateway", "create_deployment")["id"]
        return Outcome(deployment_id, {"DeploymentId": deployment_id})

    def delete(self, request: Request) -> None:
        """DeleteDeployment."""
        request.call("apigateway", "delete_deployment", "RestApiId", DeploymentId=request.physical_id)


@provisions("AWS::ApiGateway::Stage")
class Stage(Provisioner):
    """A stage serves its deployment's snapshot."""

    replaced_by = frozenset({"RestApiId", "StageName"})
    updated_in_place = frozenset({*_STAGE_PATHS, "AccessLogSetting", "MethodSettings", "Variables"})

    def create(self, request: Request) -> Outcome:
        """CreateStage, then UpdateStage for what only that can set."""
        request.call_with_all("apigateway", "create_stage", "AccessLogSetting", "MethodSettings")
        return self._patch(request, [])

    def update(self, request: Request) -> Outcome:
        """UpdateStage."""
        return self._patch(request, [*replace_operations(request, _STAGE_PATHS), *_changed_variables(request)])

    def delete(self, request: Request) -> None:
        """DeleteStage."""
        request.call("apigateway", "delete_stage", "RestApiId", StageName=request.physical_id)

    def _patch(self, request: Request, operations: list[dict[str, Any]]) -> Outcome:
        name = request.properties["StageName"]
        if request.changed("AccessLogSetting"):
            for key, member in (("DestinationArn", "destinationArn"), ("Format", "format")):
                value = request.properties.get("AccessLogSetting", {}).get(key, "")
                operations.append({"op": "replace", "path": f"/accessLogSettings/{member}", "value": value})
        operations += _changed_settings(request)
        if operations:
            request.call("apigateway", "update_stage", "RestApiId", StageName=name, PatchOperations=operations)
        return Outcome(name)


def _changed_variables(request: Request) -> Iterator[dict[str, Any]]:
    old, new = request.old_properties.get("Variables", {}), request.properties.get("Variables", {})
    for name in sorted(old.keys() - new.keys()):
        yield {"op": "remove", "path": f"/variables/{name}"}
    for name, value in new.items():
        yield {"op": "replace", "path": f"/variables/{name}", "value": value}


def _changed_settings(request: Request) -> Iterator[dict[str, Any]]:
    old, new = _settings(request.old_properties), _settings(request.properties)
    for path in sorted(old.keys() - new.keys()):
        yield {"op": "remove", "path": path}
    for path, value in new.items():
        if old.get(path) != value:
            yield {"op": "replace", "path": path, "value": value}


def _settings(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the method settings by patch path; ``/`` in a resource's path is written ``~1``."""
    settings = {}
    for entry in properties.get("MethodSettings", []):
        path = entry.get("ResourcePath", "/*")
        resource = "*" if path == "/*" else path.replace("/", "~1")
        for name, value in entry.items():
            if name in _METHOD_SETTINGS:
                settings[f"/{resource}/{entry.get('HttpMethod', '*')}/{_METHOD_SETTINGS[name]}"] = value
    return settings


@provisions("AWS::ApiGateway::Account")
class Account(Provisioner):
    """The region's settings; deleting the resource leaves them, as in AWS."""

    replaced_by = frozenset()

    def create(self, request: Request) -> Outcome:
        """UpdateAccount."""
        operations = replace_operations(request, {"CloudWatchRoleArn": "/cloudwatchRoleArn"})
        request.call("apigateway", "update_account", PatchOperations=operations)
        return Outcome(f"apigateway-account-{ACCOUNT_ID}", {"Id": f"apigateway-account-{ACCOUNT_ID}"})

    def update(self, request: Request) -> Outcome:
        """UpdateAccount."""
        return self.create(request)

    def delete(self, request: Request) -> None:
        """Leave the settings."""


@provisions("AWS::ApiGateway::ApiKey")
class ApiKey(Provisioner):
    """A key."""

    replaced_by = frozenset({"GenerateDistinctId", "Name", "Value"})
    updated_in_place = frozenset({"Description", "Enabled"})

    def create(self, request: Request) -> Outcome:
        """CreateApiKey."""
        name = request.physical_name("Name", longest=128)
        key_id = request.call_with_all("apigateway", "create_api_key", "Name", Name=name)["id"]
        return Outcome(key_id, {"APIKeyId": key_id})

    def update(self, request: Request) -> Outcome:
        """UpdateApiKey."""
        operations = replace_operations(request, {"Description": "/description", "Enabled": "/enabled"})
        request.call("apigateway", "update_api_key", ApiKey=request.physical_id, PatchOperations=operations)
        return Outcome(request.physical_id, {"APIKeyId": request.physical_id})

    def delete(self, request: Request) -> None:
        """DeleteApiKey."""
        request.call("apigateway", "delete_api_key", ApiKey=request.physical_id)


@provisions("AWS::ApiGateway::UsagePlan")
class UsagePlan(Provisioner):
    """Throttle and quota for keys."""

    replaced_by = frozenset()
    updated_in_place = frozenset({"ApiStages", "Description", "Quota", "Throttle", "UsagePlanName"})

    def create(self, request: Request) -> Outcome:
        """CreateUsagePlan."""
        name = request.physical_name("UsagePlanName", longest=128)
        plan_id = request.call_with_all("apigateway", "create_usage_plan", "UsagePlanName", Name=name)["id"]
        return Outcome(plan_id, {"Id": plan_id})

    def update(self, request: Request) -> Outcome:
        """UpdateUsagePlan."""
        operations = replace_operations(request, {"UsagePlanName": "/name", "Description": "/description"})
        for group, members in (("Throttle", ("RateLimit", "BurstLimit")), ("Quota", ("Limit", "Offset", "Period"))):
            for member in members:
                if member in request.properties.get(group, {}):
                    path = f"/{group.lower()}/{member[0].lower()}{member[1:]}"
                    operations.append({"op": "replace", "path": path, "value": request.properties[group][member]})
        old, new = _api_stages(request.old_properties), _api_stages(request.properties)
        operations += [{"op": "remove", "path": "/apiStages", "value": stage} for stage in sorted(old - new)]
        operations += [{"op": "add", "path": "/apiStages", "value": stage} for stage in sorted(new - old)]
        request.call("apigateway", "update_usage_plan", UsagePlanId=request.physical_id, PatchOperations=operations)
        return Outcome(request.physical_id, {"Id": request.physical_id})

    def delete(self, request: Request) -> None:
        """DeleteUsagePlan."""
        request.call("apigateway", "delete_usage_plan", UsagePlanId=request.physical_id)


def _api_stages(properties: Mapping[str, Any]) -> set[str]:
    return {f"{stage['ApiId']}:{stage['Stage']}" for stage in properties.get("ApiStages", [])}


@provisions("AWS::ApiGateway::UsagePlanKey")
class UsagePlanKey(Provisioner):
    """A key in a usage plan."""

    def create(self, request: Request) -> Outcome:
        """CreateUsagePlanKey."""
        request.call_with_all("apigateway", "create_usage_plan_key")
        identifier = f"{request.properties['KeyId']}:{request.properties['UsagePlanId']}"
        return Outcome(identifier, {"Id": identifier})

    def delete(self, request: Request) -> None:
        """DeleteUsagePlanKey."""
        request.call("apigateway", "delete_usage_plan_key", "UsagePlanId", "KeyId")
