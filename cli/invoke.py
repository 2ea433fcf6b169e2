"""`sagescale invoke`: send rows to the deployed model as they are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from urllib3.exceptions import HTTPError

from cli.deployment import AWS_ERRORS, Deployment
from cli.options import EnvOption
from cli.predict import RefusedError, post


def invoke(
    file: Annotated[Path | None, typer.Argument(help="What the model's container takes; by default stdin.")] = None,
    env: EnvOption = "dev",
    content_type: Annotated[str, typer.Option(help="Of the rows: application/json, application/jsonlines, ...")] = (
        "text/csv"
    ),
) -> None:
    """Send rows to the deployed model as they are and print its answer."""
    try:
        body = file.read_bytes() if file else sys.stdin.buffer.read()
        answer = post(Deployment.find(env), "/invocations", body.rstrip(b"\n"), content_type)
        typer.echo(answer.rstrip(b"\n"))
    except (*AWS_ERRORS, RefusedError, HTTPError, OSError) as error:
        typer.echo(f"sagescale invoke: {error}", err=True)
        raise typer.Exit(1) from error
