"""`sagescale sandbox`: the embedded AWS, up and down."""

from __future__ import annotations

import shlex
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sandbox import launch
from sandbox.runtime import Runtime

app = typer.Typer(
    no_args_is_help=True, help="An embedded AWS on this machine: no account, no network, nothing left behind."
)

Directory = Annotated[Path, typer.Option(help="State, logs, and the files of jobs and instances.")]
_messages = Console(stderr=True)


@app.command()
def up(
    directory: Directory = launch.DIRECTORY,
    port: Annotated[int | None, typer.Option(help="Port of the AWS APIs; a free one by default.")] = None,
) -> None:
    """Start the sandbox and bootstrap it, so that `cdk deploy` works next."""
    try:
        with _messages.status("Starting the sandbox"):
            runtime = launch.start(directory, port=port)
        with _messages.status("Bootstrapping it with the CDK CLI"):
            launch.bootstrap(runtime)
    except launch.SandboxError as error:
        _messages.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from error
    _messages.print(
        f"The sandbox answers at {runtime.endpoint_url}; logs are in {runtime.directory / 'logs'}.", soft_wrap=True
    )
    other = "" if directory == launch.DIRECTORY else f" --directory {shlex.quote(str(directory))}"
    _messages.print(f'Next: eval "$(sagescale sandbox env{other})"', highlight=False, markup=False, soft_wrap=True)


@app.command()
def down(directory: Directory = launch.DIRECTORY) -> None:
    """Stop the sandbox with everything that runs in it; what was deployed into it is gone."""
    stopped = launch.stop(directory)
    _messages.print("The sandbox is down." if stopped else "The sandbox was not running.")


@app.command()
def status(directory: Directory = launch.DIRECTORY) -> None:
    """Show the stacks of the sandbox, and the resources that are recorded only."""
    found = launch.status(_running(directory))
    console = Console()
    console.print(f"{found['endpoint_url']} (data plane {found['dataplane_url']}), process {found['pid']}")
    if found["dataplane_exit_code"] is not None:
        console.print(
            f"[red]The data plane ended with code {found['dataplane_exit_code']}: nothing is served any more. "
            "`sagescale sandbox down`, then `up` and deploy again."
        )
    stacks = Table("Stack", "Status", "Resources")
    for stack in found["stacks"]:
        stacks.add_row(stack["name"], stack["status"], str(stack["resources"]))
    console.print(stacks)
    if found["recorded_only"]:
        console.print("Recorded only:")
    for (kind, why), resources in groupby(sorted(found["recorded_only"], key=_kind), _kind):
        console.print(f"  {kind}: {why}", soft_wrap=True, highlight=False)
        for resource in resources:
            console.print(f"    {resource['stack']}  {resource['logical_id']}", soft_wrap=True, highlight=False)


@app.command()
def env(directory: Directory = launch.DIRECTORY) -> None:
    """Print the variables for `eval "$(sagescale sandbox env)"`; then cdk, aws and boto3 talk to the sandbox."""
    for name, value in _running(directory).environment().items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def _kind(resource: dict[str, str]) -> tuple[str, str]:
    return resource["type"], resource["why"]


def _running(directory: Path) -> Runtime:
    runtime = launch.running(directory)
    if runtime is None:
        _messages.print(
            f"No sandbox runs in {directory.resolve()}: start it with `sagescale sandbox up`.",
            style="red",
            soft_wrap=True,
            highlight=False,
        )
        raise typer.Exit(1)
    return runtime
