"""`sagescale destroy`: remove an environment with everything it holds, and prove that nothing is left."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from cli.belongings import Belonging, Belongings
from cli.deployment import Deployment, NotDeployedError
from cli.options import EnvOption
from cli.synthesis import CDK, SynthesisError, synthesize
from sandbox import launch
from sandbox.processes import REPOSITORY_ROOT

WAIT = {
    "Delay": 5,
    "MaxAttempts": 360,
}  # half an hour: network interfaces in a VPC take that
Say = Callable[[str], None]


class DestructionError(Exception):
    """The environment was not destroyed, or not whole; the message says what to do."""


def destroy(
    env: EnvOption = "dev",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    app: Annotated[Path | None, typer.Option(help="Cloud assembly; by default it is synthesized.")] = None,
) -> None:
    """Show what an environment holds, ask, and remove all of it."""
    try:
        deployment = Deployment.find(env)
        listed = survey(deployment)
        if not listed:
            typer.echo(f"{env}: nothing is deployed")
            return
        typer.echo(f"{env}: this is removed, with all it holds:")
        for line in listed:
            typer.echo(f"  {line}")
        if not yes:
            typer.confirm("Remove it?", abort=True)
        with tempfile.TemporaryDirectory() as scratch:
            remove(deployment, app or synthesize(env, Path(scratch)), typer.echo)
    except (NotDeployedError, DestructionError, SynthesisError, ClientError, BotoCoreError) as error:
        typer.echo(f"sagescale destroy: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{env}: nothing is left")


def survey(deployment: Deployment) -> list[str]:
    """Return what there is to remove, a line a thing.

    Raises
    ------
    DestructionError
        Something is protected or retained: all of it is named.
    """
    owned = Belongings(deployment)
    if problems := owned.protected():
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise DestructionError(
            f"{deployment.env} is protected:\n{lines}\n"
            f"If it shall go all the same: set `retain_data = false` below [project] in config/{deployment.env}.toml, "
            f"`make deploy ENV={deployment.env}` (which lifts the protection), destroy it again"
        )
    stacks = [f"stack {stack['StackName']}" for stack in owned.stacks()]
    return [*stacks, *owned.emptied(), *(each.what for each in (*owned.running(), *owned.left_over()))]


def remove(deployment: Deployment, assembly: Path, say: Say) -> None:
    """Remove everything.

    Parameters
    ----------
    assembly : Path
        Cloud assembly of the environment.
    say : Callable
        Told each thing that was removed.

    Raises
    ------
    DestructionError
        The CDK CLI failed, or something is left.
    """
    owned = Belongings(deployment)
    for run in owned.running():
        _remove(run, say)
    for target in owned.deregister_strays():
        say(f"deregistered {target}")
    _delete_unknown_stacks(deployment, owned, assembly, say)
    _cdk_destroy(deployment, assembly)
    for each in owned.left_over():
        _remove(each, say)
    if left := [f"stack {stack['StackName']}" for stack in owned.stacks()] + [each.what for each in owned.left_over()]:
        raise DestructionError("this is left: " + ", ".join(left))


def _remove(belonging: Belonging, say: Say) -> None:
    belonging.remove()
    say(f"removed {belonging.what}")


def _cdk_destroy(deployment: Deployment, assembly: Path) -> None:
    environment = launch.cdk_environment(deployment.runtime) if deployment.runtime else dict(os.environ)
    command = [CDK, "destroy", "--all", "--force", "--app", str(assembly.resolve())]
    done = subprocess.run(command, cwd=REPOSITORY_ROOT, env=environment, check=False)
    if done.returncode:
        raise DestructionError(
            "cdk destroy failed, see above; CloudFormation's events name the resource that did not go "
            "(docs/operations.md, `a deploy fails`), then run `sagescale destroy` again"
        )


def _delete_unknown_stacks(deployment: Deployment, owned: Belongings, assembly: Path, say: Say) -> None:
    """Delete stacks that the settings know no more, such as the one of a notebook that was switched off.

    They go first: they may import what the others export.
    """
    known = {path.name.partition(".")[0] for path in assembly.glob("*.template.json")}
    cloudformation = deployment.client("cloudformation")
    for name in [stack["StackName"] for stack in owned.stacks() if stack["StackName"] not in known]:
        cloudformation.delete_stack(StackName=name)
        try:
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=WAIT)
        except WaiterError as error:
            raise DestructionError(f"stack {name} was not deleted: {error}") from error
        say(f"removed stack {name}, which the settings know no more")
