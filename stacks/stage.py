"""All stacks of one environment, wired together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import Environment, Stack, Tags
from constructs import Construct

from config.settings import Settings
from stacks.constructs.protection import Network
from stacks.constructs.rollout import ServingUpdate
from stacks.monitoring_stack import MonitoringStack
from stacks.naming import Naming
from stacks.network_stack import NetworkStack
from stacks.serving_stack import ServingStack
from stacks.storage_stack import StorageStack
from stacks.training_stack import TrainingStack


def add_stacks(scope: Construct, *, env: str, settings: Settings, root: Path) -> None:
    """Add the stacks of environment `env` to an app or a stage.

    Parameters
    ----------
    root : Path
        Folder that local paths in the settings are relative to.
    """
    naming = Naming(project=settings.project.name, env=env)
    account = Environment(account=settings.project.account, region=settings.project.region)

    def named(thing: str) -> dict[str, Any]:
        # an explicit name, so that a stage of a pipeline does not put its own in front
        return {"construct_id": naming.stack(thing), "stack_name": naming.stack(thing), "env": account}

    capture = settings.endpoint.data_capture
    network = NetworkStack(scope, **named("network"), network=settings.network) if settings.network else None
    storage = StorageStack(
        scope,
        **named("storage"),
        naming=naming,
        project=settings.project,
        security=settings.security,
        capture=capture,
        network=Network(network.vpc, network.workloads) if network else None,
    )
    protection = storage.protection
    serving = ServingStack(
        scope,
        **named("serving"),
        naming=naming,
        settings=settings,
        bucket=storage.bucket,
        protection=protection,
        root=root,
    )
    training = None
    if settings.dataset:
        training = TrainingStack(
            scope,
            **named("training"),
            naming=naming,
            dataset=settings.dataset,
            training=settings.training,
            serving=ServingUpdate.of(settings.endpoint),
            bucket=storage.bucket,
            protection=protection,
            root=root,
            drift=(settings.monitoring.drift, capture) if settings.monitoring.drift and capture else None,
        )
        serving.add_stack_dependency(training, "an approved model must be there before it is served")
    workflow = training.workflow.state_machine if training else None
    monitoring = MonitoringStack(
        scope,
        **named("monitoring"),
        naming=naming,
        settings=settings,
        workflow=workflow,
        drift_check=training.drift_check if training else None,
        protection=protection,
    )
    monitoring.add_stack_dependency(serving, "it watches what is served")
    stacks: list[Stack] = [storage, serving, monitoring, *filter(None, [network, training])]
    if settings.notebook:
        from stacks.notebook_stack import NotebookStack  # noqa: PLC0415 - most environments have none

        notebook = NotebookStack(
            scope,
            **named("notebook"),
            naming=naming,
            notebook=settings.notebook,
            bucket=storage.bucket,
            protection=protection,
        )
        stacks.append(notebook)
    protection.log_groups(stacks)
    for key, value in {"project": settings.project.name, "env": env, **settings.project.tags}.items():
        Tags.of(scope).add(key, value)
