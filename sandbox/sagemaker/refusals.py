"""Changes of endpoints that AWS refuses, with its words; each check raises a ValidationError."""

from __future__ import annotations

from moto.sagemaker.exceptions import ValidationError

from sandbox.runtime import Runtime
from sandbox.sagemaker.endpoint import Endpoint
from sandbox.sagemaker.resources import EndpointConfig
from sandbox.sagemaker.scalable_targets import scaled_variants


def check_idle(endpoint: Endpoint) -> None:
    """Refuse while another change is under way."""
    if endpoint.endpoint_status not in {"InService", "Failed", "UpdateRollbackFailed"}:
        raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')


def check_steady(endpoint: Endpoint) -> None:
    """Refuse while another change is under way, and when the endpoint never came into service."""
    check_idle(endpoint)
    if endpoint.endpoint_status == "Failed":
        raise ValidationError(f'Cannot update failed endpoint "{endpoint.arn}": it can only be deleted.')


def check_variants(endpoint: Endpoint, names: list[str]) -> None:
    """Refuse names of variants that are unknown or given twice."""
    unknown = sorted(set(names) - {variant.name for variant in endpoint.variants})
    if unknown:
        raise ValidationError(
            f'The variant name(s) "{", ".join(unknown)}" is/are not present within endpoint configuration '
            f'"{endpoint.config.name}".'
        )
    if len(set(names)) != len(names):
        raise ValidationError(f"A variant name is not unique within the request: {', '.join(names)}")


def check_scaling(runtime: Runtime, endpoint: Endpoint, config: EndpointConfig) -> None:
    """Refuse a configuration that removes a variant under automatic scaling, or changes its instance type."""
    types = {item["VariantName"]: item["InstanceType"] for item in config.variants}
    changed = [item.name for item in endpoint.variants if types.get(item.name) != item.instance_type]
    if not changed:
        return
    refused = sorted(set(changed) & scaled_variants(runtime, endpoint))
    if refused:
        raise ValidationError(
            f'The variant(s) "{", ".join(refused)}" must be deregistered as scalable targets with AWS Auto Scaling '
            "before they can be removed or have their instance type updated."
        )
