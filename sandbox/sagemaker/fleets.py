"""Starts, routes and ends the instances of endpoints."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.logs import LogShipper
from sandbox.runtime import Runtime
from sandbox.sagemaker.endpoint import Endpoint, Variant, route
from sandbox.sagemaker.fleet import HEALTH_CHECK_SECONDS, Fleet, LaunchError, Server
from sandbox.sagemaker.resources import EndpointConfig, Model


class Fleets:
    """The instances of every endpoint.

    Parameters
    ----------
    runtime : Runtime
        The sandbox.
    shipper : LogShipper
        Takes the logs of the instances.
    models : mapping of str to Model
        Where an instance finds its model at the time it starts.
    """

    def __init__(self, runtime: Runtime, shipper: LogShipper, models: Mapping[str, Model]) -> None:
        self.runtime = runtime
        self.closing = threading.Event()
        """Set when the sandbox goes down."""
        self._shipper = shipper
        self._models = models

    def planned(self, config: EndpointConfig) -> list[Variant]:
        """Return the variants that a configuration wants, with no instance yet; raises LaunchError."""
        return [
            Variant.from_config(item, self._model(item["ModelName"]), HEALTH_CHECK_SECONDS) for item in config.variants
        ]

    def client(self, service: str, variant: Variant) -> Any:
        """Return a client of the role that a variant's model runs with."""
        return self.runtime.client(service, self._model(variant.model_name).request["ExecutionRoleArn"])

    def launch(self, endpoint: Endpoint, variant: Variant, count: int) -> list[Server]:
        """Start `count` instances of a variant and return them when all are healthy; raises LaunchError."""
        return self._fleet(endpoint, variant).launch(self._model(variant.model_name), count)

    def retire(self, endpoint: Endpoint, variant: Variant, servers: Sequence[Server]) -> None:
        """End instances that take no more traffic."""
        self._fleet(endpoint, variant).retire(servers)

    def retire_all(self, endpoint: Endpoint, variants: Sequence[Variant]) -> None:
        """End every instance of `variants`."""
        for variant in variants:
            servers, variant.servers = variant.servers, []
            self.retire(endpoint, variant, servers)

    def route(self, endpoint: Endpoint, variants: Sequence[Variant]) -> None:
        """Send the endpoint's traffic to `variants`; returns when all others have drained."""
        config = endpoint.config if variants is endpoint.variants else endpoint.next_config or endpoint.config
        self._tell(endpoint, [variant.routes() for variant in variants], config)

    def route_both(self, endpoint: Endpoint, counts: Mapping[str, int]) -> None:
        """Share each variant's traffic between its old instances and the first `counts` of its new ones."""
        assert endpoint.next_config is not None
        old = {variant.name: variant for variant in endpoint.variants}
        routes = [
            variant.shared_routes(old[variant.name], counts[variant.name], endpoint.next_config.name)
            for variant in endpoint.next_variants
        ]
        self._tell(endpoint, routes, endpoint.config)

    def _tell(self, endpoint: Endpoint, routes: list[dict[str, Any]], config: EndpointConfig) -> None:
        capture = config.data_capture
        if capture:  # written with the role of the model
            role_arn = self._model(config.variants[0]["ModelName"]).request["ExecutionRoleArn"]
            capture = {**capture, "role_arn": role_arn}
        route(self.runtime.dataplane_url, endpoint.endpoint_name, routes, capture)

    def _model(self, name: str) -> Model:
        if name not in self._models:
            raise LaunchError(f"Could not find model '{name}': deleted after the endpoint configuration was made")
        return self._models[name]

    def _fleet(self, endpoint: Endpoint, variant: Variant) -> Fleet:
        return Fleet(
            self.runtime,
            self._shipper,
            endpoint.endpoint_name,
            variant.name,
            variant.health_check_seconds,
            self.closing,
        )
