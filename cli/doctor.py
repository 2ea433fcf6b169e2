"""`sagescale doctor`: what would keep a deploy from working, asked before it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from cli.checks import Status, examine
from cli.deployment import Deployment, NotDeployedError

COLOURS = {Status.OK: "green", Status.UNKNOWN: "yellow", Status.PROBLEM: "red"}
_console = Console()


def doctor(env: Annotated[str, typer.Option(help="Environment: the name of a file in config/.")] = "dev") -> None:
    """Look at credentials, region, bootstrap, quotas and the rest; exit code 1 where a deploy would fail."""
    try:
        deployment = Deployment.find(env)
    except NotDeployedError as error:
        typer.echo(f"sagescale doctor: {error}", err=True)
        raise typer.Exit(2) from error
    sick = False
    for finding in examine(deployment):
        sick |= finding.status is Status.PROBLEM
        _console.print(f"{finding.status:>8}", style=COLOURS[finding.status], end="  ", highlight=False)
        _console.print(finding.what, markup=False, highlight=False, soft_wrap=True)
        if finding.advice:
            _console.print(f"{'':>10}{finding.advice}", markup=False, highlight=False, soft_wrap=True)
    if sick:
        raise typer.Exit(1)
