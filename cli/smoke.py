"""`sagescale smoke`: calls what was deployed for a while and judges the answers; made for pipelines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, cycle
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from urllib3.exceptions import HTTPError

from cli.deployment import AWS_ERRORS, Deployment
from cli.options import EnvOption, TextOrJsonOption
from cli.predict import RefusedError, ask, post
from cli.records import NoRecordsError, parse_bodies
from cli.scaling_options import read_file
from training.schema import FEATURES

# A plain HTTP connection; any record will do, because the endpoint is judged and not the model.
RECORD = {feature.name: feature.vocabulary[0] if feature.vocabulary else 0 for feature in FEATURES}


@dataclass(frozen=True)
class Judged:
    """What the callers saw.

    Parameters
    ----------
    failures : sequence of str
        Why requests failed, one entry a request.
    """

    latencies_ms: Sequence[float]
    failures: Sequence[str]

    @property
    def requests(self) -> int:
        """How many were sent."""
        return len(self.latencies_ms) + len(self.failures)

    @property
    def p95_ms(self) -> float | None:
        """Of the requests that were answered; None where none was."""
        return float(np.percentile(self.latencies_ms, 95)) if self.latencies_ms else None

    def problems(self, *, most_failures: float, p95_ms: float) -> list[str]:
        """Return what is not as it should be; empty when all is well."""
        found = []
        share = len(self.failures) / max(1, self.requests)
        if self.p95_ms is None or share > most_failures:
            found.append(f"{share:.2%} of {self.requests} requests failed, first: {next(iter(self.failures), '-')}")
        elif self.p95_ms > p95_ms:
            found.append(f"p95 is {self.p95_ms:.0f} ms, {p95_ms:g} ms is allowed")
        return found


def smoke(  # noqa: PLR0917 - one parameter an option
    env: EnvOption = "dev",
    users: Annotated[int, typer.Option(min=1, max=200, help="Callers at once, each with one request at a time.")] = 8,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long they call.")] = 30,
    p95_ms: Annotated[float, typer.Option("--p95-ms", help="95 of 100 answers must come within this time.")] = 1_000,
    most_failures: Annotated[float, typer.Option(min=0, max=1, help="Share of requests that may fail.")] = 0,
    bodies: Annotated[
        Path | None, typer.Option(help="CSV rows to send, one a line, to a model that takes no records.")
    ] = None,
    output_format: TextOrJsonOption = "text",
) -> None:
    """Call the deployed API for a while; exit code 1 if requests fail or answers are slow."""
    try:
        deployment = Deployment.find(env)
        judged = drive(deployment, users=users, seconds=seconds, rows=_rows(deployment, bodies))
    except (*AWS_ERRORS, NoRecordsError, OSError, ValueError) as error:
        typer.echo(f"sagescale smoke: {error}", err=True)
        raise typer.Exit(1) from error
    problems = judged.problems(most_failures=most_failures, p95_ms=p95_ms)
    if output_format == "json":
        facts = {"requests": judged.requests, "failed": len(judged.failures), "p95_ms": judged.p95_ms}
        typer.echo(json.dumps({**facts, "problems": problems}, indent=2))
    for problem in problems:
        typer.echo(f"sagescale smoke: {problem}", err=True)
    if problems:
        raise typer.Exit(1)
    if output_format == "text":
        called = f"{judged.requests} requests by {users} callers in {seconds:g} s"
        typer.echo(f"{called}, {len(judged.failures)} failed, p95 {judged.p95_ms:.0f} ms")


def _rows(deployment: Deployment, bodies: Path | None) -> list[bytes]:
    if bodies:
        return read_file(bodies, parse_bodies)
    if not deployment.settings.has_predictions:
        raise NoRecordsError(f"the model of {deployment.env} takes no records: name a file of its rows with --bodies")
    return []


def drive(deployment: Deployment, *, users: int, seconds: float, rows: Sequence[bytes] = ()) -> Judged:
    """Let `users` send the record, or `rows` in turn, one after the other until the time is up."""
    turn = cycle(rows)

    def send() -> str | None:
        return send_once(deployment, next(turn)) if rows else ask_once(deployment)

    send()  # finds outputs, signs once: what nobody should be measured by
    until = time.monotonic() + seconds

    def call() -> list[tuple[float, str | None]]:
        done = []
        while time.monotonic() < until:
            began = time.monotonic()
            reason = send()
            done.append(((time.monotonic() - began) * 1e3, reason))
        return done

    with ThreadPoolExecutor(users) as pool:
        outcomes = list(chain.from_iterable(future.result() for future in [pool.submit(call) for _ in range(users)]))
    return Judged(
        latencies_ms=[latency for latency, reason in outcomes if reason is None],
        failures=[reason for _, reason in outcomes if reason is not None],
    )


def ask_once(deployment: Deployment, record: dict[str, Any] | None = None) -> str | None:
    """Return why a record was refused; None when it was answered."""
    return _refusal(lambda: ask(deployment, [record or RECORD]))


def send_once(deployment: Deployment, row: bytes) -> str | None:
    """Return why a row was refused; None when it was answered."""
    return _refusal(lambda: post(deployment, "/invocations", row, "text/csv"))


def _refusal(call: Callable[[], object]) -> str | None:
    try:
        call()
    except (RefusedError, HTTPError, OSError) as error:
        return str(error)
    return None
