"""Creates, updates, scales and deletes endpoints, as AWS does: new instances first, then the traffic, then the old end.

A failed update leaves the old configuration in service: the status is InService again and only FailureReason and the
unchanged EndpointConfigName tell. An instance that died is replaced.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from sandbox.sagemaker import refusals
from sandbox.sagemaker.baking import AlarmError, GoingDownError, Oven
from sandbox.sagemaker.endpoint import Endpoint, Variant, unroute
from sandbox.sagemaker.fleet import LaunchError
from sandbox.sagemaker.fleets import Fleets
from sandbox.sagemaker.requests import Only, Request, refuse_unsupported
from sandbox.sagemaker.resources import EndpointConfig
from sandbox.sagemaker.scalable_targets import deregister
from sandbox.sagemaker.update import Update
from sandbox.sagemaker.update_policy import UpdatePolicy

WATCH_SECONDS = 1.0
REPAIR_PAUSE_SECONDS = 30.0  # assumed: before another try to replace an instance that does not start

UNSUPPORTED = (
    Only("RetainDeploymentConfig"),
    Only("ExcludeRetainedVariantProperties[].VariantPropertyType", ("DesiredInstanceCount", "DesiredWeight")),
)

log = logging.getLogger(__name__)


class Deployer:
    """Carries out changes of endpoints, each in a thread of its own.

    Parameters
    ----------
    fleets : Fleets
        Their instances.
    endpoints : dict of str to Endpoint
        All endpoints; deleted ones leave it.
    """

    oven: ClassVar[Oven] = Oven()
    """Waits between the steps of updates."""
    provisioning_seconds: ClassVar[float] = 0.0
    """How long a larger capacity takes at least; starting a process takes less than starting an instance."""

    def __init__(self, fleets: Fleets, endpoints: dict[str, Endpoint]) -> None:
        self._runtime = fleets.runtime
        self._endpoints = endpoints
        self._fleets = fleets
        self._closing = fleets.closing
        self._changes: list[threading.Thread] = []
        threading.Thread(target=self._watch, name="sandbox-endpoints", daemon=True).start()

    def create(self, endpoint: Endpoint) -> None:
        """Bring a new endpoint into service, or to Failed."""
        endpoint.begin_change("Creating")

        def work() -> None:
            variants: list[Variant] = []
            try:
                variants = self._fleets.planned(endpoint.config)
                for variant in variants:
                    variant.servers = self._fleets.launch(endpoint, variant, variant.desired_count)
                self._fleets.route(endpoint, variants)
            except Exception as error:
                self._fleets.retire_all(endpoint, variants)
                endpoint.enter("Failed", _reason(error))
                return
            endpoint.variants = variants
            endpoint.enter("InService")

        self._in_background(work, endpoint)

    def check_creation(self, config: EndpointConfig, request: Request) -> None:
        """Refuse with a ValidationError a DeploymentConfig that does not fit, before there is an endpoint."""
        wanted = {item["VariantName"]: item["InitialInstanceCount"] for item in config.variants}
        UpdatePolicy.of(request).check(self._runtime, wanted, wanted)

    def update(self, endpoint: Endpoint, config: EndpointConfig, request: Request) -> None:
        """Replace every instance by those of `config`; without success the old ones stay.

        Raises
        ------
        ValidationError
            The endpoint is busy or failed, a variant under automatic scaling would go or change its instance type, or
            the DeploymentConfig does not fit.
        """
        refuse_unsupported(request, UNSUPPORTED)
        refusals.check_steady(endpoint)
        refusals.check_scaling(self._runtime, endpoint, config)
        policy = UpdatePolicy.of(request)
        before = {variant.name: variant.desired_count for variant in endpoint.variants}
        wanted = {item["VariantName"]: item["InitialInstanceCount"] for item in config.variants}
        if request.get("RetainAllVariantProperties") and _retains("DesiredInstanceCount", request):
            wanted |= {name: count for name, count in before.items() if name in wanted}
        policy.check(self._runtime, before, wanted)
        endpoint.begin_change("Updating")
        endpoint.next_config, endpoint.last_deployment_config = config, request.get("DeploymentConfig")
        self._in_background(lambda: self._update(endpoint, policy, request), endpoint)

    def _update(self, endpoint: Endpoint, policy: UpdatePolicy, request: Request) -> None:
        assert endpoint.next_config is not None
        update = Update(endpoint, policy, self._fleets, self.oven)
        mixed, endpoint.next_variants = endpoint.next_variants, []
        try:
            endpoint.next_variants = self._fleets.planned(endpoint.next_config)
            if request.get("RetainAllVariantProperties"):
                _retain(endpoint.variants, endpoint.next_variants, request)
            update.carry_out()
            update.wait_for_termination()
        except Exception as error:
            self._roll_back(endpoint, update, mixed, _reason(error))
            return
        old, endpoint.variants = endpoint.variants, endpoint.next_variants
        endpoint.config, endpoint.next_config, endpoint.next_variants = endpoint.next_config, None, []
        self._fleets.retire_all(endpoint, [*old, *mixed])
        endpoint.enter("InService")

    def _roll_back(self, endpoint: Endpoint, update: Update, mixed: list[Variant], reason: str) -> None:
        """Give the traffic back; `mixed` are instances that an earlier rollback without success has left behind."""
        endpoint.enter("RollingBack")
        try:
            update.take_back()
            self._fleets.retire_all(endpoint, mixed)
        except Exception as error:
            endpoint.next_config, endpoint.next_variants = None, [*endpoint.next_variants, *mixed]
            endpoint.enter("UpdateRollbackFailed", f"{reason} Nor did the way back succeed: {_reason(error)}")
            return
        endpoint.next_config, endpoint.next_variants = None, []
        endpoint.enter("InService", reason)

    def scale(self, endpoint: Endpoint, wanted: list[dict[str, Any]]) -> None:
        """Change weights and instance counts of variants that stay as they are otherwise.

        Raises
        ------
        ValidationError
            The endpoint is busy or failed, or a variant is unknown or named twice.
        """
        refusals.check_steady(endpoint)
        refusals.check_variants(endpoint, [item["VariantName"] for item in wanted])
        endpoint.begin_change("Updating")
        before = [replace(variant) for variant in endpoint.variants]
        for variant, item in _matching(endpoint, wanted):
            variant.weight = item.get("DesiredWeight", variant.weight)
            variant.desired_count = item.get("DesiredInstanceCount", variant.desired_count)

        def work() -> None:
            try:
                surplus = self._resize(endpoint)
                self._fleets.route(endpoint, endpoint.variants)
            except Exception as error:
                for variant, old in zip(endpoint.variants, before, strict=True):
                    added = [item for item in variant.servers if item not in old.servers]
                    self._fleets.retire(endpoint, variant, added)
                endpoint.variants = before
                endpoint.enter("InService", _reason(error))
                return
            for variant, servers in surplus:
                self._fleets.retire(endpoint, variant, servers)
            endpoint.enter("InService")

        self._in_background(work, endpoint)

    def delete(self, endpoint: Endpoint) -> None:
        """Take an endpoint out of service and forget it, with its scalable targets; a busy one is refused."""
        refusals.check_idle(endpoint)
        endpoint.begin_change("Deleting")

        def work() -> None:
            deregister(self._runtime, endpoint)
            try:
                unroute(self._runtime.dataplane_url, endpoint.endpoint_name)
            except OSError as error:  # a data plane that is gone routes nothing
                log.warning("%s is deleted, but the data plane was not told: %s", endpoint.endpoint_name, error)
            self._fleets.retire_all(endpoint, [*endpoint.variants, *endpoint.next_variants])
            del self._endpoints[endpoint.endpoint_name]

        self._in_background(work, endpoint)

    def stop(self) -> None:
        """End every model server; the sandbox is going down."""
        self._closing.set()
        for change in self._changes:
            change.join()
        for endpoint in list(self._endpoints.values()):
            self._fleets.retire_all(endpoint, [*endpoint.variants, *endpoint.next_variants])

    def _in_background(self, work: Callable[[], None], endpoint: Endpoint) -> None:
        """Do `work`, which ends the change that the caller began."""

        def run() -> None:
            with endpoint.end_of_change():
                work()

        change = threading.Thread(target=run, name=endpoint.endpoint_name, daemon=True)
        self._changes = [other for other in self._changes if other.is_alive()] + [change]
        change.start()

    def _watch(self) -> None:
        """Replace instances whose process has ended, as SageMaker does."""
        while not self._closing.wait(WATCH_SECONDS):
            for endpoint in list(self._endpoints.values()):
                if endpoint.dead_servers() and time.monotonic() > endpoint.repair_after and endpoint.try_repair():
                    with endpoint.end_of_change():
                        self._repair(endpoint)

    def _repair(self, endpoint: Endpoint) -> None:
        try:
            for variant, dead in endpoint.dead_servers():
                log.warning("%s: %d instance(s) of %s died", endpoint.endpoint_name, len(dead), variant.name)
                fresh = self._fleets.launch(endpoint, variant, len(dead))
                variant.servers = [*(server for server in variant.servers if server not in dead), *fresh]
                self._fleets.route(endpoint, endpoint.variants)
                self._fleets.retire(endpoint, variant, dead)
        except (LaunchError, OSError) as error:
            log.warning("%s: no replacement yet: %s", endpoint.endpoint_name, error)
            endpoint.repair_after = time.monotonic() + REPAIR_PAUSE_SECONDS

    def _resize(self, endpoint: Endpoint) -> list[tuple[Variant, list[Any]]]:
        """Start missing instances; return the surplus ones, taken out of their variants."""
        begin = time.monotonic()
        added: list[tuple[Variant, list[Any]]] = []
        try:
            for variant in endpoint.variants:
                missing = max(0, variant.desired_count - len(variant.servers))
                added.append((variant, self._fleets.launch(endpoint, variant, missing)))
        except LaunchError:
            for variant, servers in added:
                self._fleets.retire(endpoint, variant, servers)
            raise
        if any(servers for _, servers in added):
            self._closing.wait(max(0.0, begin + self.provisioning_seconds - time.monotonic()))
        for variant, servers in added:
            variant.servers = [*variant.servers, *servers]
        surplus = [(variant, variant.servers[variant.desired_count :]) for variant in endpoint.variants]
        for variant in endpoint.variants:
            variant.servers = variant.servers[: variant.desired_count]
        return surplus


def _matching(endpoint: Endpoint, wanted: list[dict[str, Any]]) -> list[tuple[Variant, dict[str, Any]]]:
    return [(variant, item) for variant in endpoint.variants for item in wanted if item["VariantName"] == variant.name]


def _retain(old: list[Variant], new: list[Variant], request: Request) -> None:
    """Carry counts and weights over to variants of the same name, as RetainAllVariantProperties does."""
    previous = {variant.name: variant for variant in old}
    for variant in new:
        if variant.name not in previous:
            continue
        if _retains("DesiredInstanceCount", request):
            variant.desired_count = previous[variant.name].desired_count
        if _retains("DesiredWeight", request):
            variant.weight = previous[variant.name].weight


def _retains(kind: str, request: Request) -> bool:
    excluded = request.get("ExcludeRetainedVariantProperties") or []
    return kind not in {item["VariantPropertyType"] for item in excluded}


def _reason(error: Exception) -> str:
    if isinstance(error, (LaunchError, AlarmError, GoingDownError)):
        return str(error)
    log.exception("endpoint", exc_info=error)
    return f"InternalFailure: {type(error).__name__}: {error}"
