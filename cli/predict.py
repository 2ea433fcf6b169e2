"""`sagescale predict`: send records to the deployed API."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import urllib3

from cli.deployment import Deployment, NotDeployedError
from cli.options import EnvOption

_pool = urllib3.PoolManager(retries=False)


class RefusedError(Exception):
    """The API did not answer with predictions."""


def ask(deployment: Deployment, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the predictions for domain records, in their order.

    Raises
    ------
    RefusedError
        The API answered with another status than 200; the message holds its reason. Or it knows no records.
    """
    if not deployment.settings.has_predictions:
        raise RefusedError("this API takes no records, only the rows its model knows: send them by `sagescale invoke`")
    body = json.dumps({"records": list(records)}).encode()
    predictions: list[dict[str, Any]] = json.loads(post(deployment, "/predictions", body, "application/json"))[
        "predictions"
    ]
    return predictions


def post(deployment: Deployment, path: str, body: bytes, content_type: str) -> bytes:
    """Return what the API answers.

    Raises
    ------
    RefusedError
        With another status than 200; the message holds its reason.
    """
    url = deployment.api_url(path)
    headers = deployment.api_headers(url, body, content_type)
    answer = _pool.request("POST", url, body=body, headers=dict(headers), timeout=60.0)
    if answer.status != 200:
        raise RefusedError(f"the API answered {answer.status}: {answer.data.decode(errors='replace')}")
    return answer.data


def predict(
    file: Annotated[Path | None, typer.Argument(help="JSON: one record or a list of them; by default stdin.")] = None,
    env: EnvOption = "dev",
) -> None:
    """Send records to the deployed API and print its predictions as JSON."""
    try:
        text = file.read_text(encoding="utf-8") if file else sys.stdin.read()
        content = json.loads(text)
        records = content if isinstance(content, list) else [content]
        typer.echo(json.dumps(ask(Deployment.find(env), records), indent=2))
    except (NotDeployedError, RefusedError, OSError, ValueError) as error:
        typer.echo(f"sagescale predict: {error}", err=True)
        raise typer.Exit(1) from error
