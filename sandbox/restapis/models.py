"""The state of API Gateway: moto's backend, as strict as AWS about deployments, with stages that serve.

The module's name is fixed: moto finds ``urls`` beside the module of a backend that is called ``models``.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from typing import Any, ClassVar
from urllib.parse import quote

from moto.apigateway.exceptions import (
    BadRequestException,
    DeploymentNotFoundException,
    NoIntegrationDefined,
    StageStillActive,
)
from moto.apigateway.models import APIGatewayBackend, ApiKey, Deployment, RestAPI, Stage, UsagePlan, UsagePlanKey
from moto.cognitoidp.responses import CognitoIdpJsonWebKeyResponse

from sandbox.dataplane.rest_apis import BadSnapshotError, check_snapshot
from sandbox.restapis.snapshot import BadDefinitionError, default_method_settings, for_stage, freeze, usage_plan
from sandbox.runtime import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Runtime

PUSH_TIMEOUT_SECONDS = 10.0


class RestApiBackend(APIGatewayBackend):
    """One account's API Gateway in one region."""

    runtime: ClassVar[Runtime]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._definitions: dict[tuple[str, str], dict[str, Any]] = {}  # by API and deployment
        self._pushing = threading.Lock()

    # Deployments and stages

    def create_deployment(
        self, function_id: str, name: str, description: str = "", stage_variables: Any = None
    ) -> Deployment:
        """Freeze the definition; refuse what the data plane could not serve."""
        api = self.get_rest_api(function_id)
        methods = [method for resource in api.resources.values() for method in resource.resource_methods.values()]
        if not all(method.method_integration for method in methods):
            raise NoIntegrationDefined
        definition = self._checked_definition(api)
        deployment = super().create_deployment(function_id, name, description, stage_variables)
        self._definitions[function_id, deployment.id] = definition
        if name:
            self._push(function_id, api.stages[name])
        return deployment

    def delete_deployment(self, function_id: str, deployment_id: str) -> Deployment:
        """Delete a deployment that no stage serves."""
        api = self.get_rest_api(function_id)
        if any(stage.deployment_id == deployment_id for stage in api.stages.values()):
            raise StageStillActive
        deployment = api.deployments.pop(deployment_id, None)
        if deployment is None:
            raise DeploymentNotFoundException
        self._definitions.pop((function_id, deployment_id), None)
        return deployment

    def create_stage(self, function_id: str, stage_name: str, deploymentId: str, **options: Any) -> Stage:  # type: ignore[override] # noqa: N803
        """Create a stage and serve its deployment."""
        self._known_deployment(function_id, deploymentId)
        stage = super().create_stage(function_id, stage_name, deploymentId, **options)
        self._push(function_id, stage)
        return stage

    def update_stage(self, function_id: str, stage_name: str, patch_operations: Any) -> Stage:
        """Change a stage; a method's settings that are removed fall back to what applies to all."""
        for operation in patch_operations:
            if operation["path"] == "/deploymentId":
                self._known_deployment(function_id, operation["value"])
        stage = super().update_stage(function_id, stage_name, patch_operations)
        for operation in patch_operations:
            if operation["op"] == "remove":
                _remove_setting(stage, operation["path"])
        self._push(function_id, stage)
        return stage

    def delete_stage(self, function_id: str, stage_name: str) -> None:
        """Delete a stage and serve it no more."""
        super().delete_stage(function_id, stage_name)
        self._administer("DELETE", function_id, stage_name, None)

    def delete_rest_api(self, function_id: str) -> RestAPI:
        """Delete an API with its stages."""
        api = self.get_rest_api(function_id)
        for stage_name in list(api.stages):
            self.delete_stage(function_id, stage_name)
        for key in [key for key in self._definitions if key[0] == function_id]:
            del self._definitions[key]
        return super().delete_rest_api(function_id)

    # Keys and usage plans: they take effect without a new deployment

    def update_api_key(self, api_key_id: str, patch_operations: Any) -> ApiKey:
        """Change a key."""
        key = super().update_api_key(api_key_id, patch_operations)
        self._push_all()
        return key

    def delete_api_key(self, api_key_id: str) -> None:
        """Delete a key, also from the plans that hold it."""
        super().delete_api_key(api_key_id)
        for keys in self.usage_plan_keys.values():
            keys.pop(api_key_id, None)
        self._push_all()

    def create_usage_plan(self, payload: Any) -> UsagePlan:
        """Create a plan."""
        plan = super().create_usage_plan(payload)
        self._push_all()
        return plan

    def update_usage_plan(self, usage_plan_id: str, patch_operations: Any) -> UsagePlan:
        """Change a plan; moto would cut a rate to whole numbers, and fail on one like 12000.0."""
        rates = [each for each in patch_operations if (each["op"], each["path"]) == ("replace", "/throttle/rateLimit")]
        plan = super().update_usage_plan(usage_plan_id, [each for each in patch_operations if each not in rates])
        for operation in rates:
            plan.throttle["rateLimit"] = float(operation["value"])
        self._push_all()
        return plan

    def delete_usage_plan(self, usage_plan_id: str) -> None:
        """Delete a plan."""
        super().delete_usage_plan(usage_plan_id)
        self._push_all()

    def create_usage_plan_key(self, usage_plan_id: str, payload: dict[str, Any]) -> UsagePlanKey:
        """Put a key into a plan."""
        key = super().create_usage_plan_key(usage_plan_id, payload)
        self._push_all()
        return key

    def delete_usage_plan_key(self, usage_plan_id: str, key_id: str) -> None:
        """Take a key out of a plan."""
        super().delete_usage_plan_key(usage_plan_id, key_id)
        self._push_all()

    def _checked_definition(self, api: RestAPI) -> dict[str, Any]:
        try:
            definition = freeze(api)
            stage = Stage(name="check", deployment_id="check")
            check_snapshot(api.id, self._snapshot(api.id, stage, definition))
        except (BadDefinitionError, BadSnapshotError) as error:
            raise BadRequestException(str(error)) from error
        return definition

    def _known_deployment(self, api_id: str, deployment_id: str) -> None:
        if (api_id, deployment_id) not in self._definitions:
            raise DeploymentNotFoundException

    def _push_all(self) -> None:
        for api in self.apis.values():
            for stage in api.stages.values():
                self._push(api.id, stage)

    def _push(self, api_id: str, stage: Stage) -> None:
        definition = self._definitions[api_id, str(stage.deployment_id)]
        with self._pushing:
            self._administer("PUT", api_id, str(stage.name), self._snapshot(api_id, stage, definition))

    def _snapshot(self, api_id: str, stage: Stage, definition: dict[str, Any]) -> dict[str, Any]:
        return for_stage(
            definition,
            stage,
            usage_plans=self._usage_plans(api_id, str(stage.name)),
            account_id=self.account_id,
            region=self.region_name,
            credentials={ACCESS_KEY_ID: SECRET_ACCESS_KEY},
            user_pool_keys=json.loads(CognitoIdpJsonWebKeyResponse.json_web_key),
        )

    def _usage_plans(self, api_id: str, stage_name: str) -> list[dict[str, Any]]:
        plans = []
        for plan in self.usage_plans.values():
            if not any((each["apiId"], each["stage"]) == (api_id, stage_name) for each in plan.api_stages):
                continue
            keys = [self.keys[key_id] for key_id in self.usage_plan_keys.get(plan.id, {})]
            plans.append(usage_plan(plan, {key.value: key.id for key in keys if key.enabled}))
        return plans

    def _administer(self, method: str, api_id: str, stage: str, snapshot: dict[str, Any] | None) -> None:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.runtime.dataplane_url}/_sandbox/apis/{quote(api_id)}/{quote(stage)}",
            data=None if snapshot is None else json.dumps(snapshot).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=PUSH_TIMEOUT_SECONDS):  # noqa: S310 - loopback
                return
        except urllib.error.HTTPError as error:
            with error:
                raise BadRequestException(json.load(error)["message"]) from error
        except OSError as error:
            raise BadRequestException(f"The sandbox's data plane does not answer: {error}") from error


def _remove_setting(stage: Stage, path: str) -> None:
    """Remove ``/resource/method`` or one setting of it; moto leaves both."""
    parts = path.split("/", 3)[1:]
    settings = stage.method_settings.get("/".join(parts[:2]))
    if settings is None:
        return
    name = stage._method_settings_translations(parts[2]) if len(parts) == 3 else None
    if name is not None:
        settings[name] = default_method_settings(stage).get(name)
    if name is None or settings == default_method_settings(stage):
        del stage.method_settings["/".join(parts[:2])]
