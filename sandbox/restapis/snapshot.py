"""What a deployment freezes of an API's definition, and what a stage adds to it, in the data plane's terms.

The format stands in `sandbox.dataplane.rest_apis`. A deployment freezes methods, integrations, models and gateway
responses; method settings, stage variables, API keys and usage plans belong to the stage and change without a new
deployment.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from moto.apigateway.models import Integration, Method, Resource, RestAPI, Stage, UsagePlan

# The account's limits in a region, which methods without settings have too:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
ACCOUNT_RATE, ACCOUNT_BURST = 10_000.0, 5_000
_BUILT_IN_MODELS: dict[str, Any] = {"Empty": {}, "Error": {"type": "object"}}


class BadDefinitionError(ValueError):
    """A definition that refers to what is not there."""


def default_method_settings(_: Stage) -> dict[str, Any]:
    """Return the settings of a method for which only some are set."""
    return {
        "throttlingRateLimit": ACCOUNT_RATE,
        "throttlingBurstLimit": ACCOUNT_BURST,
        "dataTraceEnabled": False,
        "metricsEnabled": False,
        "cachingEnabled": False,
        "cacheTtlInSeconds": 300,
        "cacheDataEncrypted": False,
        "requireAuthorizationForCacheControl": True,
        "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
    }


def freeze(api: RestAPI) -> dict[str, Any]:
    """Return the definition of `api` as it is now; nothing in it changes with the API.

    Raises
    ------
    BadDefinitionError
        A method refers to a model or a validator that is not there.
    """
    models = {name: json.loads(model.schema or "{}") for name, model in api.models.items()}
    return {
        "methods": [
            _freeze_method(api, models, resource, verb, method)
            for resource in api.resources.values()
            for verb, method in resource.resource_methods.items()
        ],
        "models": models,
        "gateway_responses": {
            kind: {
                "status": None if response.status_code is None else str(response.status_code),
                "templates": dict(response.response_templates or {}),
                "parameters": dict(response.response_parameters or {}),
            }
            for kind, response in api.gateway_responses.items()
        },
    }


def for_stage(
    definition: Mapping[str, Any], stage: Stage, *, usage_plans: Iterable[Mapping[str, Any]], **place: Any
) -> dict[str, Any]:
    """Return the snapshot that `stage` serves; `place` is account, region, credentials and user pool keys."""
    methods = [
        {**method, "throttle": _throttle(stage, method["path"], method["method"])} for method in definition["methods"]
    ]
    return {
        **definition,
        **place,
        "methods": methods,
        "deployment_id": stage.deployment_id,
        "stage_variables": dict(stage.variables or {}),
        "usage_plans": list(usage_plans),
    }


def usage_plan(plan: UsagePlan, keys: Mapping[str, str]) -> dict[str, Any]:
    """Return a usage plan with `keys`: id by value."""
    throttle, quota = plan.throttle, plan.quota
    return {
        "id": plan.id,
        "throttle": {"rate": float(throttle["rateLimit"]), "burst": int(throttle.get("burstLimit", ACCOUNT_BURST))}
        if throttle.get("rateLimit") is not None
        else None,
        "quota": {"limit": int(quota["limit"]), "period": quota["period"]} if quota else None,
        "keys": dict(keys),
    }


def _freeze_method(
    api: RestAPI, models: Mapping[str, Any], resource: Resource, verb: str, method: Method
) -> dict[str, Any]:
    path, integration = resource.get_path(), method.method_integration
    assert integration is not None, "CreateDeployment let a method without integration pass"
    validator = api.request_validators.get(method.request_validator_id or "")
    if method.request_validator_id and validator is None:
        raise BadDefinitionError(f"{verb} {path}: there is no request validator {method.request_validator_id}")
    validates_body = bool(validator and validator.validate_request_body)
    validates_parameters = bool(validator and validator.validate_request_parameters)
    return {
        "path": path,
        "resource_id": resource.id,
        "method": verb,
        "authorization": method.authorization_type or "NONE",
        "api_key_required": _is_true(method.api_key_required),
        "user_pools": _user_pools(api, method, f"{verb} {path}"),
        "required_parameters": _required(method) if validates_parameters else [],
        "body_models": _body_models(method, models, f"{verb} {path}") if validates_body else {},
        "integration": _freeze_integration(integration),
    }


def _user_pools(api: RestAPI, method: Method, where: str) -> list[str]:
    if method.authorization_type != "COGNITO_USER_POOLS":
        return []
    authorizer = api.authorizers.get(method.authorizer_id or "")
    if authorizer is None:
        raise BadDefinitionError(f"{where}: there is no authorizer {method.authorizer_id}")
    if method.authorization_scopes:
        raise BadDefinitionError(f"{where}: the sandbox does not emulate authorization scopes")
    return list(authorizer.provider_arns or [])


def _required(method: Method) -> list[str]:
    parameters = method.request_parameters or {}
    return sorted(name.removeprefix("method.request.") for name, required in parameters.items() if _is_true(required))


def _body_models(method: Method, models: Mapping[str, Any], where: str) -> dict[str, Any]:
    known = {**_BUILT_IN_MODELS, **models}
    names = method.request_models or {}
    missing = sorted({name for name in names.values() if name not in known})
    if missing:
        raise BadDefinitionError(f"{where}: there is no model {', '.join(missing)}")
    return {media_type.lower(): known[name] for media_type, name in names.items()}


def _freeze_integration(integration: Integration) -> dict[str, Any]:
    return {
        "type": integration.integration_type,
        "uri": integration.uri,
        "credentials": integration.credentials,
        "passthrough": integration.passthrough_behaviour or "WHEN_NO_MATCH",
        "templates": dict(integration.request_templates or {}),
        "parameters": dict(integration.request_parameters or {}),
        "timeout_ms": int(integration.timeout_in_millis) if integration.timeout_in_millis else None,
        "responses": [
            {
                "status": str(status),
                "pattern": response.selection_pattern or None,
                "templates": dict(response.response_templates or {}),
                "parameters": dict(response.response_parameters or {}),
            }
            for status, response in (integration.integration_responses or {}).items()
        ],
    }


def _throttle(stage: Stage, path: str, verb: str) -> dict[str, Any]:
    """Return the limit of one method: its own settings, the stage's for all methods, or the account's."""
    own, common = f"{path.replace('/', '~1')}/{verb}", "*/*"
    settings = stage.method_settings.get(own) or stage.method_settings.get(common) or default_method_settings(stage)
    return {"rate": float(settings["throttlingRateLimit"]), "burst": int(settings["throttlingBurstLimit"])}


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"
