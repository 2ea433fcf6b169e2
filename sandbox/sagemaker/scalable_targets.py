"""What Application Auto Scaling knows about an endpoint's variants, asked and told through its API."""

from __future__ import annotations

from contextlib import suppress

from sandbox.runtime import Runtime
from sandbox.sagemaker.endpoint import Endpoint

NAMESPACE = "sagemaker"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


def scaled_variants(runtime: Runtime, endpoint: Endpoint) -> set[str]:
    """Return the names of the variants that are registered as scalable targets."""
    ids = {_resource_id(endpoint, variant.name): variant.name for variant in endpoint.variants}
    client = runtime.client("application-autoscaling")
    answer = client.describe_scalable_targets(ServiceNamespace=NAMESPACE, ScalableDimension=DIMENSION)
    return {ids[target["ResourceId"]] for target in answer["ScalableTargets"] if target["ResourceId"] in ids}


def deregister(runtime: Runtime, endpoint: Endpoint) -> None:
    """Deregister every variant, as deleting an endpoint does."""
    client = runtime.client("application-autoscaling")
    for name in scaled_variants(runtime, endpoint):
        with suppress(client.exceptions.ObjectNotFoundException):  # somebody was faster
            client.deregister_scalable_target(
                ServiceNamespace=NAMESPACE, ScalableDimension=DIMENSION, ResourceId=_resource_id(endpoint, name)
            )


def _resource_id(endpoint: Endpoint, variant_name: str) -> str:
    return f"endpoint/{endpoint.endpoint_name}/variant/{variant_name}"
