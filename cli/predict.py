"""`sagescale predict`: send records to the deployed API."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import urllib3
from urllib3.exceptions import HTTPError

from cli.deployment import AWS_ERRORS, Deployment
from cli.options import EnvOption

MOST_PROBLEMS = 10
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
        raise RefusedError(f"the API answered {answer.status}: {_reason(answer.data)}")
    return answer.data


def _reason(body: bytes) -> str:
    """Return what an answer says: its message, and below it one line a problem with a record."""
    try:
        told = json.loads(body)
        message = told.get("message") or told["Message"]  # ours and the gateway's, or SageMaker's
        errors = [f"  record {error['index']}, {error['field']}: {error['reason']}" for error in told.get("errors", [])]
    except (ValueError, LookupError, TypeError, AttributeError):
        return body.decode(errors="replace")
    more = [f"  and {len(errors) - MOST_PROBLEMS} more"] if len(errors) > MOST_PROBLEMS else []
    return "\n".join([str(message), *errors[:MOST_PROBLEMS], *more])


def predict(
    file: Annotated[
        Path | None, typer.Argument(help="JSON: one record, a list, or a body of the API; by default stdin.")
    ] = None,
    env: EnvOption = "dev",
) -> None:
    """Send records to the deployed API and print its predictions as JSON."""
    try:
        typer.echo(json.dumps(ask(Deployment.find(env), _records(file)), indent=2))
    except (*AWS_ERRORS, RefusedError, HTTPError, OSError, ValueError) as error:
        typer.echo(f"sagescale predict: {error}", err=True)
        raise typer.Exit(1) from error


def _records(file: Path | None) -> list[Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8") if file else sys.stdin.read())
    except ValueError as error:
        raise ValueError(f"{file or 'stdin'} holds no JSON: {error}") from error
    if isinstance(content, dict) and content.keys() == {"records"}:
        content = content["records"]
    return content if isinstance(content, list) else [content]
