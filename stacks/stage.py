"""All stacks of one environment, wired together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_cdk import Environment, Stack, Tags
from constructs import Construct

from config.settings import Settings
from stacks.constructs.protection import Network
from stacks.constructs.rollout import ServingUpdate
from stacks.monitoring_stack import MonitoringStack
from stacks.naming import Naming
from stacks.serving_stack import ServingStack
from stacks.storage_stack import StorageStack
from stacks.training_stack import TrainingStack

if TYPE_CHECKING:
    from stacks.network_stack import NetworkStack


def add_stacks(scope: Construct, *, env: str, settings: Settings, root: Path) -> None:
    """Add the stacks of environment `env` to an app or a stage.

    Parameters
    ----------
    root : Path
        Folder that local paths in the settings are relative to.
    """
    composition = _Composition(scope, env, settings, root)
    network = composition.network()
    storage = composition.storage(network)
    serving = composition.serving(storage)
    training = composition.training(storage) if settings.dataset else None
    if training:
        serving.add_stack_dependency(training, "an approved model must be there before it is served")
    monitoring = composition.monitoring(storage, training)
    monitoring.add_stack_dependency(serving, "it watches what is served")
    notebook = composition.notebook(storage)
    stacks: list[Stack] = [storage, serving, monitoring, *filter(None, [network, training, notebook])]
    storage.protection.log_groups(stacks)
    for key, value in {"project": settings.project.name, "env": env, **settings.project.tags}.items():
        Tags.of(scope).add(key, value)


class _Composition:
    """Adds one stack at a time, each with what it needs of the settings and of other stacks."""

    def __init__(self, scope: Construct, env: str, settings: Settings, root: Path) -> None:
        self._scope = scope
        self._settings = settings
        self._root = root
        self._naming = Naming(project=settings.project.name, env=env)
        self._account = Environment(account=settings.project.account, region=settings.project.region)

    def _named(self, thing: str) -> dict[str, Any]:
        # an explicit name, so that a stage of a pipeline does not put its own in front
        name = self._naming.stack(thing)
        return {"scope": self._scope, "construct_id": name, "stack_name": name, "env": self._account}

    def network(self) -> NetworkStack | None:
        if not self._settings.network:
            return None
        from stacks.network_stack import NetworkStack  # noqa: PLC0415 - most environments have none

        return NetworkStack(**self._named("network"), network=self._settings.network)

    def storage(self, network: NetworkStack | None) -> StorageStack:
        return StorageStack(
            **self._named("storage"),
            naming=self._naming,
            project=self._settings.project,
            security=self._settings.security,
            capture=self._settings.endpoint.data_capture,
            network=Network(network.vpc, network.workloads) if network else None,
        )

    def serving(self, storage: StorageStack) -> ServingStack:
        return ServingStack(
            **self._named("serving"),
            naming=self._naming,
            settings=self._settings,
            bucket=storage.bucket,
            protection=storage.protection,
            root=self._root,
        )

    def training(self, storage: StorageStack) -> TrainingStack:
        settings = self._settings
        assert settings.dataset, "only what has a dataset trains"
        drift, capture = settings.monitoring.drift, settings.endpoint.data_capture
        return TrainingStack(
            **self._named("training"),
            naming=self._naming,
            dataset=settings.dataset,
            training=settings.training,
            serving=ServingUpdate.of(settings.endpoint),
            bucket=storage.bucket,
            protection=storage.protection,
            root=self._root,
            drift=(drift, capture) if drift and capture else None,
        )

    def monitoring(self, storage: StorageStack, training: TrainingStack | None) -> MonitoringStack:
        return MonitoringStack(
            **self._named("monitoring"),
            naming=self._naming,
            settings=self._settings,
            workflow=training.workflow.state_machine if training else None,
            protection=storage.protection,
        )

    def notebook(self, storage: StorageStack) -> Stack | None:
        if not self._settings.notebook:
            return None
        from stacks.notebook_stack import NotebookStack  # noqa: PLC0415 - most environments have none

        return NotebookStack(
            **self._named("notebook"),
            naming=self._naming,
            notebook=self._settings.notebook,
            bucket=storage.bucket,
            protection=storage.protection,
        )
