"""An endpoint: the configuration it serves, the instances of each variant, and what DescribeEndpoint says of them."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from moto.core.utils import utcnow
from moto.sagemaker.utils import arn_formatter

from sandbox.sagemaker.fleet import Server
from sandbox.sagemaker.resources import SHADOW, EndpointConfig, Model

DRAIN_SECONDS = 30.0  # how long the data plane waits for requests in flight; the front waits a little longer
DEFAULT_WEIGHT = 1.0
DEFAULT_ROUTING = "RANDOM"


@dataclass
class Variant:
    """A production variant in service.

    Parameters
    ----------
    name, model_name, instance_type, image : str
        From the endpoint configuration and its model.
    weight : float
        Share of the traffic, relative to the other variants.
    desired_count : int
        Instances asked for.
    routing : str
        RANDOM or LEAST_OUTSTANDING_REQUESTS.
    health_check_seconds : float
        Of its instances.
    servers : list of Server
        Instances in service.
    shadow : bool
        Gets copies of requests; nobody sees its answers.
    """

    name: str
    model_name: str
    instance_type: str
    image: str
    weight: float
    desired_count: int
    routing: str
    health_check_seconds: float
    servers: list[Server] = field(default_factory=list)
    updated_at: Any = field(default_factory=utcnow)
    shadow: bool = False

    @classmethod
    def from_config(cls, variant: dict[str, Any], model: Model, health_check_seconds: float) -> Variant:
        """Return a variant as its endpoint configuration wants it, with no instance yet."""
        routing = (variant.get("RoutingConfig") or {}).get("RoutingStrategy", DEFAULT_ROUTING)
        return cls(
            name=variant["VariantName"],
            model_name=variant["ModelName"],
            instance_type=variant["InstanceType"],
            image=model.container["Image"],
            weight=variant.get("InitialVariantWeight", DEFAULT_WEIGHT),
            desired_count=variant["InitialInstanceCount"],
            routing=routing,
            health_check_seconds=variant.get("ContainerStartupHealthCheckTimeoutInSeconds", health_check_seconds),
            shadow=variant.get(SHADOW, False),
        )

    def describe(self) -> dict[str, Any]:
        """Return an entry of DescribeEndpoint's ProductionVariants."""
        return {
            "VariantName": self.name,
            "DeployedImages": [
                {"SpecifiedImage": self.image, "ResolvedImage": self.image, "ResolutionTime": self.updated_at}
            ],
            "CurrentWeight": self.weight,
            "DesiredWeight": self.weight,
            "CurrentInstanceCount": len(self.servers),
            "DesiredInstanceCount": self.desired_count,
            "RoutingConfig": {"RoutingStrategy": self.routing},
        }

    def routes(self) -> dict[str, Any]:
        """Return what the data plane must know."""
        instances = [{"id": server.instance_id, "port": server.port} for server in self.servers]
        return {
            "name": self.name,
            "weight": self.weight,
            "routing": self.routing,
            "instances": instances,
            "shadow": self.shadow,
        }

    def shared_routes(self, old: Variant, count: int, config_name: str) -> dict[str, Any]:
        """Return routes on which the first `count` instances take their part of the traffic from `old`'s.

        Parameters
        ----------
        config_name : str
            This variant's endpoint configuration, under which its requests are counted.
        """
        new_fleet = {
            "config": config_name,
            "share": count / self.desired_count,
            "instances": self.routes()["instances"][:count],
        }
        return {**self.routes(), "instances": old.routes()["instances"], "new_fleet": new_fleet}


class Endpoint:
    """An endpoint.

    Parameters
    ----------
    name : str
        Endpoint name.
    config : EndpointConfig
        What it is to serve first.
    account_id, region_name : str
        Owner, for the ARN.
    tags : list of dict
        Tags of the Create call.
    """

    def __init__(
        self, name: str, config: EndpointConfig, account_id: str, region_name: str, tags: list[dict[str, str]]
    ) -> None:
        self.endpoint_name = name
        self.arn = arn_formatter("endpoint", name, account_id, region_name)
        self.tags = tags
        self.config = config
        self.next_config: EndpointConfig | None = None
        self.next_variants: list[Variant] = []
        """What an update under way brings; after a rollback that failed, what of it still serves."""
        self.last_deployment_config: dict[str, Any] | None = None
        self.endpoint_status = "Creating"
        self.failure_reason: str | None = None
        self.creation_time = self.last_modified_time = utcnow()
        self.variants: list[Variant] = []
        self.repair_after = 0.0  # on the monotonic clock
        self._changing = threading.Lock()

    def begin_change(self, status: str) -> None:
        """Enter `status` as soon as no repair is under way; the change ends with `end_of_change`."""
        self._changing.acquire()
        self.enter(status)

    def try_repair(self) -> bool:
        """Begin a repair, which shows in no status, unless something else is under way."""
        if not self._changing.acquire(blocking=False):
            return False
        if self.endpoint_status == "InService":
            return True
        self._changing.release()
        return False

    @contextmanager
    def end_of_change(self) -> Iterator[None]:
        """Let the next change begin after the block."""
        try:
            yield
        finally:
            self._changing.release()

    def dead_servers(self) -> list[tuple[Variant, list[Server]]]:
        """Return the instances in service whose process has ended, by variant."""
        found = []
        for variant in self.variants:
            dead = [server for server in variant.servers if server.process.exit_code is not None]
            if dead:
                found.append((variant, dead))
        return found

    def enter(self, status: str, failure_reason: str | None = None) -> None:
        """Change the status."""
        self.endpoint_status, self.failure_reason = status, failure_reason
        self.last_modified_time = utcnow()

    def uses(self, config_name: str) -> bool:
        """Whether the endpoint serves this configuration or is about to."""
        return config_name in {self.config.name, self.next_config.name if self.next_config else None}

    def describe(self) -> dict[str, Any]:
        """Return the answer of DescribeEndpoint."""
        answer = {
            **self.summary(),
            "EndpointConfigName": self.config.name,
            "ProductionVariants": [variant.describe() for variant in self.variants if not variant.shadow],
            "ShadowProductionVariants": [variant.describe() for variant in self.variants if variant.shadow] or None,
            "FailureReason": self.failure_reason,
            "LastDeploymentConfig": self.last_deployment_config,
            "PendingDeploymentSummary": self._pending(),
        }
        return {name: value for name, value in answer.items() if value is not None}

    def _pending(self) -> dict[str, Any] | None:
        if self.next_config is None:
            return None
        variants = [variant.describe() for variant in self.next_variants if not variant.shadow]
        return {"EndpointConfigName": self.next_config.name, "ProductionVariants": variants}

    def gen_response_object(self) -> dict[str, Any]:
        """Return what moto's Search shows."""
        return self.describe()

    def summary(self) -> dict[str, Any]:
        """Return what ListEndpoints shows."""
        return {
            "EndpointName": self.endpoint_name,
            "EndpointArn": self.arn,
            "EndpointStatus": self.endpoint_status,
            "CreationTime": self.creation_time,
            "LastModifiedTime": self.last_modified_time,
        }


def route(
    dataplane_url: str, endpoint_name: str, routes: list[dict[str, Any]], capture: Mapping[str, Any] | None
) -> None:
    """Make the data plane send the endpoint's traffic on `routes`; returns when instances on none have drained.

    Parameters
    ----------
    capture : Mapping or None
        DataCaptureConfig.
    """
    _administer("PUT", dataplane_url, endpoint_name, {"variants": routes, "capture": capture})


def unroute(dataplane_url: str, endpoint_name: str) -> None:
    """Make the data plane forget the endpoint; returns when its requests are over."""
    _administer("DELETE", dataplane_url, endpoint_name, None)


def _administer(method: str, dataplane_url: str, endpoint_name: str, body: dict[str, Any] | None) -> None:
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{dataplane_url}/_sandbox/endpoints/{endpoint_name}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=DRAIN_SECONDS + 10):  # noqa: S310 - loopback
        return
