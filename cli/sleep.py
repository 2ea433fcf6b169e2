"""`sagescale sleep` and `sagescale wake`: an update of the serving stack that changes one parameter."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.deployment import AWS_ERRORS, Deployment
from cli.options import EnvOption

POLL_SECONDS = 2.0
ENDPOINT_STATE: Any = importlib.import_module("lambda.endpoint_state.handler")  # an import cannot say `lambda`
_console = Console()


class NotSwitchedError(Exception):
    """The endpoint is not in the wanted state; the message says why."""


def sleep(
    env: EnvOption = "dev",
    force: Annotated[bool, typer.Option("--force", help="Also while it is being called.")] = False,
) -> None:
    """Put the endpoint to sleep: no instance, no cost; the API answers 503 and says so."""
    _run(env, "sleep", lambda deployment: put_to_sleep(deployment, force=force))


def wake(env: EnvOption = "dev") -> None:
    """Wake the endpoint; the API answers again when its instances do."""
    _run(env, "wake", lambda deployment: switch(deployment, ENDPOINT_STATE.AWAKE))


def put_to_sleep(deployment: Deployment, *, force: bool) -> None:
    """Bring the endpoint out of service, unless it had requests a short while ago.

    Raises
    ------
    NotSwitchedError
        It is busy, it cannot sleep, or the update fails.
    """
    endpoint = deployment.settings.endpoint
    if not force:
        minutes = endpoint.sleep.idle_minutes if endpoint.sleep else 0
        variants = [variant.name for variant in endpoint.variants if not variant.shadow]
        name = deployment.outputs("serving")["EndpointName"]
        try:
            ENDPOINT_STATE.refuse_if_busy(deployment.client("cloudwatch"), name, variants, minutes)
        except ENDPOINT_STATE.BusyError as error:
            raise NotSwitchedError(f"{error}: --force") from error
    switch(deployment, ENDPOINT_STATE.ASLEEP)


def switch(deployment: Deployment, state: str) -> None:
    """Update the serving stack and wait for the end.

    Raises
    ------
    NotSwitchedError
        The stack cannot, or was rolled back.
    """
    cloudformation = deployment.client("cloudformation")
    stack = f"{deployment.settings.project.name}-{deployment.env}-serving"
    try:
        begun = ENDPOINT_STATE.switch(cloudformation, stack, state)
    except ENDPOINT_STATE.NoSuchStateError as error:
        raise NotSwitchedError(str(error)) from error
    while begun:
        (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        status = described["StackStatus"]
        if status == "UPDATE_COMPLETE":
            return
        if not status.endswith("_IN_PROGRESS"):
            reason = described.get("StackStatusReason", "its events say why")
            raise NotSwitchedError(f"stack {stack} ended in {status}: {reason}")
        time.sleep(POLL_SECONDS)


def _run(env: str, name: str, act: Callable[[Deployment], None]) -> None:
    try:
        deployment = Deployment.find(env)
        with _console.status("updating the serving stack"):
            act(deployment)
    except (*AWS_ERRORS, NotSwitchedError) as error:
        typer.echo(f"sagescale {name}: {error}", err=True)
        raise typer.Exit(1) from error
    _console.print(f"[green]✓[/] the endpoint of {env} is {'asleep' if name == 'sleep' else 'awake'}")
