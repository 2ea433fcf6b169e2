"""Creates, updates, scales and deletes endpoints, as AWS does: new instances first, then the traffic, then the old end.

Updates are all-at-once blue/green. A failed one leaves the old configuration in service: the status is InService
again and only FailureReason and the unchanged EndpointConfigName tell.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from moto.sagemaker.exceptions import ValidationError

from sandbox.logs import LogShipper
from sandbox.runtime import Runtime
from sandbox.sagemaker.endpoint import Endpoint, Variant, route, unroute
from sandbox.sagemaker.fleet import HEALTH_CHECK_SECONDS, Fleet, LaunchError
from sandbox.sagemaker.requests import Only, Request, refuse_unsupported
from sandbox.sagemaker.resources import EndpointConfig, Model

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
UNSUPPORTED = (
    Only("DeploymentConfig.AutoRollbackConfiguration.Alarms"),
    Only("DeploymentConfig.RollingUpdatePolicy"),
    Only("DeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.Type", ("ALL_AT_ONCE",)),
    Only("ExcludeRetainedVariantProperties[].VariantPropertyType", ("DesiredInstanceCount", "DesiredWeight")),
)

log = logging.getLogger(__name__)


class Deployer:
    """Carries out changes of endpoints, each in a thread of its own.

    Parameters
    ----------
    runtime : Runtime
        The sandbox.
    shipper : LogShipper
        Takes the logs of the instances.
    models : mapping of str to Model
        Where an instance finds its model at the time it starts.
    endpoints : dict of str to Endpoint
        All endpoints; deleted ones leave it.
    """

    def __init__(
        self, runtime: Runtime, shipper: LogShipper, models: Mapping[str, Model], endpoints: dict[str, Endpoint]
    ) -> None:
        self._runtime = runtime
        self._shipper = shipper
        self._models = models
        self._endpoints = endpoints
        self._closing = threading.Event()
        self._changes: list[threading.Thread] = []

    def create(self, endpoint: Endpoint) -> None:
        """Bring a new endpoint into service, or to Failed."""

        def work() -> None:
            variants = self._planned(endpoint.config)
            try:
                self._launch(endpoint, variants)
                self._route(endpoint, variants)
            except Exception as error:
                self._retire(endpoint, variants)
                endpoint.enter("Failed", _reason(error))
                return
            endpoint.variants = variants
            endpoint.enter("InService")

        self._in_background(work, endpoint)

    def update(self, endpoint: Endpoint, config: EndpointConfig, request: Request) -> None:
        """Replace every instance by those of `config`; without success the old ones stay.

        Raises
        ------
        ValidationError
            The endpoint is busy or failed, or a variant under automatic scaling would go or change its instance type.
        """
        refuse_unsupported(request, UNSUPPORTED)
        _check_steady(endpoint)
        self._check_scaling(endpoint, config)
        endpoint.next_config = config
        endpoint.enter("Updating")

        def work() -> None:
            variants: list[Variant] = []
            try:
                variants = self._planned(config)
                if request.get("RetainAllVariantProperties"):
                    _retain(endpoint.variants, variants, request.get("ExcludeRetainedVariantProperties") or [])
                self._launch(endpoint, variants)
                self._route(endpoint, variants)
            except Exception as error:
                self._retire(endpoint, variants)
                endpoint.next_config = None
                endpoint.enter("InService", _reason(error))
                return
            old, endpoint.variants = endpoint.variants, variants
            endpoint.config, endpoint.next_config = config, None
            self._retire(endpoint, old)
            endpoint.enter("InService")

        self._in_background(work, endpoint)

    def scale(self, endpoint: Endpoint, wanted: list[dict[str, Any]]) -> None:
        """Change weights and instance counts of variants that stay as they are otherwise.

        Raises
        ------
        ValidationError
            The endpoint is busy or failed, or a variant is unknown or named twice.
        """
        _check_steady(endpoint)
        _check_variants(endpoint, [item["VariantName"] for item in wanted])
        before = [replace(variant) for variant in endpoint.variants]
        for variant, item in _matching(endpoint, wanted):
            variant.weight = item.get("DesiredWeight", variant.weight)
            variant.desired_count = item.get("DesiredInstanceCount", variant.desired_count)
        endpoint.enter("Updating")

        def work() -> None:
            try:
                surplus = self._resize(endpoint)
                self._route(endpoint, endpoint.variants)
            except Exception as error:
                for variant, old in zip(endpoint.variants, before, strict=True):
                    self._fleet(endpoint, variant).retire(item for item in variant.servers if item not in old.servers)
                endpoint.variants = before
                endpoint.enter("InService", _reason(error))
                return
            for variant, servers in surplus:
                self._fleet(endpoint, variant).retire(servers)
            endpoint.enter("InService")

        self._in_background(work, endpoint)

    def delete(self, endpoint: Endpoint) -> None:
        """Take an endpoint out of service and forget it, with its scalable targets; a busy one is refused."""
        if endpoint.endpoint_status not in {"InService", "Failed"}:
            raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        endpoint.enter("Deleting")

        def work() -> None:
            for name in self._scaled_variants(endpoint):
                self._deregister(endpoint, name)
            try:
                unroute(self._runtime.dataplane_url, endpoint.endpoint_name)
            except OSError as error:  # a data plane that is gone routes nothing
                log.warning("%s is deleted, but the data plane was not told: %s", endpoint.endpoint_name, error)
            self._retire(endpoint, endpoint.variants)
            del self._endpoints[endpoint.endpoint_name]

        self._in_background(work, endpoint)

    def stop(self) -> None:
        """End every model server; the sandbox is going down."""
        self._closing.set()
        for change in self._changes:
            change.join()
        for endpoint in list(self._endpoints.values()):
            self._retire(endpoint, endpoint.variants)

    def _in_background(self, work: Callable[[], None], endpoint: Endpoint) -> None:
        change = threading.Thread(target=work, name=endpoint.endpoint_name, daemon=True)
        self._changes = [other for other in self._changes if other.is_alive()] + [change]
        change.start()

    def _planned(self, config: EndpointConfig) -> list[Variant]:
        return [
            Variant.from_config(item, self._model(item["ModelName"]), HEALTH_CHECK_SECONDS) for item in config.variants
        ]

    def _model(self, name: str) -> Model:
        if name not in self._models:
            raise LaunchError(f"Could not find model '{name}': deleted after the endpoint configuration was made")
        return self._models[name]

    def _launch(self, endpoint: Endpoint, variants: list[Variant]) -> None:
        for variant in variants:
            fleet = self._fleet(endpoint, variant)
            variant.servers = fleet.launch(self._model(variant.model_name), variant.desired_count)

    def _resize(self, endpoint: Endpoint) -> list[tuple[Variant, list[Any]]]:
        """Start missing instances; return the surplus ones, taken out of their variants."""
        added: list[tuple[Variant, list[Any]]] = []
        try:
            for variant in endpoint.variants:
                missing = max(0, variant.desired_count - len(variant.servers))
                fleet = self._fleet(endpoint, variant)
                added.append((variant, fleet.launch(self._model(variant.model_name), missing)))
        except LaunchError:
            for variant, servers in added:
                self._fleet(endpoint, variant).retire(servers)
            raise
        for variant, servers in added:
            variant.servers = [*variant.servers, *servers]
        surplus = [(variant, variant.servers[variant.desired_count :]) for variant in endpoint.variants]
        for variant in endpoint.variants:
            variant.servers = variant.servers[: variant.desired_count]
        return surplus

    def _route(self, endpoint: Endpoint, variants: list[Variant]) -> None:
        route(self._runtime.dataplane_url, endpoint.endpoint_name, variants)

    def _retire(self, endpoint: Endpoint, variants: list[Variant]) -> None:
        for variant in variants:
            servers, variant.servers = variant.servers, []
            self._fleet(endpoint, variant).retire(servers)

    def _fleet(self, endpoint: Endpoint, variant: Variant) -> Fleet:
        return Fleet(
            self._runtime,
            self._shipper,
            endpoint.endpoint_name,
            variant.name,
            variant.health_check_seconds,
            self._closing,
        )

    def _check_scaling(self, endpoint: Endpoint, config: EndpointConfig) -> None:
        types = {item["VariantName"]: item["InstanceType"] for item in config.variants}
        changed = [item.name for item in endpoint.variants if types.get(item.name) != item.instance_type]
        if not changed:
            return
        refused = sorted(set(changed) & self._scaled_variants(endpoint))
        if refused:
            raise ValidationError(
                f'The variant(s) "{", ".join(refused)}" must be deregistered as scalable targets with AWS Auto Scaling '
                "before they can be removed or have their instance type updated."
            )

    def _scaled_variants(self, endpoint: Endpoint) -> set[str]:
        ids = {f"endpoint/{endpoint.endpoint_name}/variant/{item.name}": item.name for item in endpoint.variants}
        client = self._runtime.client("application-autoscaling")
        answer = client.describe_scalable_targets(ServiceNamespace="sagemaker", ScalableDimension=DIMENSION)
        return {ids[item["ResourceId"]] for item in answer["ScalableTargets"] if item["ResourceId"] in ids}

    def _deregister(self, endpoint: Endpoint, variant_name: str) -> None:
        client = self._runtime.client("application-autoscaling")
        with suppress(client.exceptions.ObjectNotFoundException):  # somebody was faster
            client.deregister_scalable_target(
                ServiceNamespace="sagemaker",
                ScalableDimension=DIMENSION,
                ResourceId=f"endpoint/{endpoint.endpoint_name}/variant/{variant_name}",
            )


def _check_steady(endpoint: Endpoint) -> None:
    if endpoint.endpoint_status == "Failed":
        raise ValidationError(f'Cannot update failed endpoint "{endpoint.arn}": it can only be deleted.')
    if endpoint.endpoint_status != "InService":
        raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')


def _check_variants(endpoint: Endpoint, names: list[str]) -> None:
    unknown = sorted(set(names) - {variant.name for variant in endpoint.variants})
    if unknown:
        raise ValidationError(
            f'The variant name(s) "{", ".join(unknown)}" is/are not present within endpoint configuration '
            f'"{endpoint.config.name}".'
        )
    if len(set(names)) != len(names):
        raise ValidationError(f"A variant name is not unique within the request: {', '.join(names)}")


def _matching(endpoint: Endpoint, wanted: list[dict[str, Any]]) -> list[tuple[Variant, dict[str, Any]]]:
    return [(variant, item) for variant in endpoint.variants for item in wanted if item["VariantName"] == variant.name]


def _retain(old: list[Variant], new: list[Variant], excluded: list[dict[str, str]]) -> None:
    """Carry counts and weights over to variants of the same name, as RetainAllVariantProperties does."""
    types = {item["VariantPropertyType"] for item in excluded}
    previous = {variant.name: variant for variant in old}
    for variant in new:
        if variant.name not in previous:
            continue
        if "DesiredInstanceCount" not in types:
            variant.desired_count = previous[variant.name].desired_count
        if "DesiredWeight" not in types:
            variant.weight = previous[variant.name].weight


def _reason(error: Exception) -> str:
    if isinstance(error, LaunchError):
        return str(error)
    log.exception("endpoint", exc_info=error)
    return f"InternalFailure: {type(error).__name__}: {error}"
