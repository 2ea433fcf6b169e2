"""All stacks of one environment, wired together."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Environment, Tags
from constructs import Construct

from config.settings import Settings
from stacks.monitoring_stack import MonitoringStack
from stacks.naming import Naming
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
    storage = StorageStack(scope, naming.stack("storage"), project=settings.project, env=account)
    serving = ServingStack(
        scope,
        naming.stack("serving"),
        naming=naming,
        settings=settings,
        bucket=storage.bucket,
        root=root,
        env=account,
    )
    training = None
    if settings.dataset:
        training = TrainingStack(
            scope,
            naming.stack("training"),
            naming=naming,
            dataset=settings.dataset,
            training=settings.training,
            bucket=storage.bucket,
            root=root,
            env=account,
        )
        serving.add_stack_dependency(training, "an approved model must be there before it is served")
    workflow = training.workflow.state_machine if training else None
    monitoring = MonitoringStack(
        scope, naming.stack("monitoring"), naming=naming, settings=settings, workflow=workflow, env=account
    )
    monitoring.add_stack_dependency(serving, "it watches what is served")
    for key, value in {"project": settings.project.name, "env": env, **settings.project.tags}.items():
        Tags.of(scope).add(key, value)
