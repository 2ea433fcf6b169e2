"""`sagescale doctor`: what would keep a deploy from working, asked before it."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer
from rich.console import Console

from cli.checks import Finding, Status, examine
from cli.deployment import Deployment, NotDeployedError
from cli.options import EnvOption, TextOrJsonOption

COLOURS = {Status.OK: "green", Status.UNKNOWN: "yellow", Status.PROBLEM: "red"}
_console = Console()


def doctor(env: EnvOption = "dev", output_format: TextOrJsonOption = "text") -> None:
    """Look at credentials, region, bootstrap, quotas and the rest; exit code 1 where a deploy would fail."""
    try:
        deployment = Deployment.find(env)
    except NotDeployedError as error:
        typer.echo(f"sagescale doctor: {error}", err=True)
        raise typer.Exit(2) from error
    if output_format == "json":
        findings = list(examine(deployment))
        typer.echo(json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        findings = [_shown(finding) for finding in examine(deployment)]
    if any(finding.status is Status.PROBLEM for finding in findings):
        raise typer.Exit(1)


def _shown(finding: Finding) -> Finding:
    """Print a finding as soon as it is there."""
    _console.print(f"{finding.status:>8}", style=COLOURS[finding.status], end="  ", highlight=False)
    _console.print(finding.what, markup=False, highlight=False, soft_wrap=True)
    if finding.advice:
        _console.print(f"{'':>10}{finding.advice}", markup=False, highlight=False, soft_wrap=True)
    return finding
