"""`sagescale train`: run the training workflow outside a deploy, and roll its model out."""

from __future__ import annotations

import importlib
import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import typer
from rich.console import Console

from cli.deployment import AWS_ERRORS, Deployment
from cli.options import EnvOption

POLL_SECONDS = 2.0
_console = Console()


class RunFailedError(Exception):
    """The run ended without a model in service; the message says why."""


def train(env: EnvOption = "dev") -> None:
    """Train on what was deployed, gate, approve and update the serving stack; wait for the end."""
    try:
        deployment = Deployment.find(env).that_trains()
        with _console.status("starting") as status:
            run(deployment, status.update)
    except (*AWS_ERRORS, RunFailedError) as error:
        typer.echo(f"sagescale train: {error}", err=True)
        raise typer.Exit(1) from error
    _console.print("[green]✓[/] the model is approved and served")


def run(deployment: Deployment, show: Callable[[str], None] = lambda _: None) -> None:
    """Start one run in mode `retrain` and wait until it ends.

    Raises
    ------
    RunFailedError
        With the workflow's own reason; or another run is under way.
    """
    deployment.outputs("training")  # says what to do where nothing is deployed
    parameter = f"/{deployment.settings.project.name}/{deployment.env}/training/run"
    deployed_run = deployment.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
    dataset = deployment.settings.dataset
    uri = dataset.train if dataset and dataset.train.startswith("s3://") else None
    retraining = importlib.import_module("lambda.retraining.handler")  # `lambda` cannot be written in an import
    execute(
        deployment, "retrain", retraining.on_present_data(json.loads(deployed_run), deployment.client("s3"), uri), show
    )


def execute(
    deployment: Deployment, mode: str, run: Mapping[str, Any], show: Callable[[str], None] = lambda _: None
) -> None:
    """Start the training workflow in `mode` and wait until it ends; raises RunFailedError as `run` does."""
    states = deployment.client("stepfunctions")
    machine = deployment.outputs("training")["StateMachineArn"]
    if running := states.list_executions(stateMachineArn=machine, statusFilter="RUNNING", maxResults=1)["executions"]:
        raise RunFailedError(f"run {running[0]['name']} is under way, and runs go one at a time: try again later")
    execution = states.start_execution(
        stateMachineArn=machine, name=str(uuid.uuid4()), input=json.dumps({"mode": mode, "run": run})
    )["executionArn"]
    try:
        while (described := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            show(f"run {described['name']}: {time.time() - described['startDate'].timestamp():.0f} s")
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        name = execution.rpartition(":")[2]
        raise RunFailedError(f"nobody waits any more, but run {name} goes on: a model that passes is served") from None
    if described["status"] != "SUCCEEDED":
        raise RunFailedError(f"the run {described['status'].lower()}: {described.get('cause', 'no cause given')}")
