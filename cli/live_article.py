"""The article's three tests, live in the sandbox: no scaling, threshold 30,000, threshold 15,000."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from autoscaling import article, prices
from cli.deployment import Deployment
from cli.live_report import MINUTES, to_run
from cli.live_run import LiveRun, Plan, Stage, run_live
from cli.records import csv_bodies
from loadtest.report import Run, write_report

TARGETS: dict[str, float | None] = {"no_scaling": None, "threshold_30k": 30_000.0, "threshold_15k": 15_000.0}
PUBLISHED = {test.name: test.published for test in article.TESTS}
INSTANCE_RPS = 600.0  # half the article's: what two cores carry beside the users
TIME_SCALE = 20.0  # a minute of 3 s: a scaler that looks a tenth of a second late still sees a minute
INSTANCE_TYPE, REGION = "ml.m4.xlarge", "us-east-1"  # the article's; for the cost


def run_article(
    deployment: Deployment,
    folder: Path,
    *,
    names: Sequence[str] = tuple(TARGETS),
    instance_rps: float = INSTANCE_RPS,
    time_scale: float = TIME_SCALE,
    on_progress: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Run tests of the article against the deployed endpoint, and write the report.

    Parameters
    ----------
    deployment
        Of the sandbox.
    folder
        Where report.html, pictures and figures go.
    names
        Which of `TARGETS`.
    instance_rps, time_scale
        Size and speed, see `cli.live_run.Plan`.
    on_progress
        Is told once a minute of the test's what is going on.

    Returns
    -------
    list of dict
        Of each test: ``name``, ``target``, ``average_rps``, ``best_minute_rps``, ``p95_ms_worst_minute`` and
        ``p95_ms_last_minute``, ``failed``, ``instances_end`` (``min``, ``max``, ``values``), ``decisions`` (one a
        minute, live beside simulated), ``disagreements``, ``simulated``, ``published`` and ``published_to_scale``.

    Raises
    ------
    cli.deployment.NotDeployedError, cli.records.NoRecordsError, sandbox.live.ScalingError
        What is missing.
    """
    stage, bodies, url = Stage.of(deployment), csv_bodies(deployment.settings), deployment.api_url("/invocations")
    usd_per_hour = prices.price_of(INSTANCE_TYPE, REGION).usd_per_hour
    facts, runs = [], []
    with stage.kept():
        for name in names:
            plan = Plan(name=name, target=TARGETS[name], instance_rps=instance_rps, time_scale=time_scale)
            on_progress(f"{name}: preparing")
            live = run_live(stage, plan, url, bodies, partial(_tell_minute, on_progress, name))
            run = to_run(live, usd_per_hour=usd_per_hour, published=PUBLISHED[name])
            facts.append(_facts(live, run))
            runs.append(run)
    write_report(runs, folder, title="The article's load tests, live in the sandbox")
    return facts


def _tell_minute(on_progress: Callable[[str], None], name: str, minute: int) -> None:
    on_progress(f"{name}: minute {minute} of {MINUTES}")


def _facts(live: LiveRun, run: Run) -> dict[str, Any]:
    totals = run.totals
    p95 = [value for value in run.measured["p95_ms"] if value is not None]
    end = totals["instances at the end"]
    return {
        "name": run.name,
        "target": live.plan.scaled_target,
        "average_rps": live.burst.requests_per_second,
        "best_minute_rps": totals["requests / s, best minute"]["measured"],
        "p95_ms_worst_minute": max(p95),
        "p95_ms_last_minute": p95[-1],
        "failed": live.burst.failed,
        "instances_end": {"min": end["measured"], "max": end["measured"], "values": [end["measured"]]},
        "decisions": _decisions(live),
        "disagreements": live.recording.disagreements(),
        "simulated": {
            "average_rps": totals["requests / s, average"]["simulated"],
            "instances_end": end["simulated"],
        },
        "published": PUBLISHED[run.name],
        "published_to_scale": {
            name: value * live.plan.factor if name == "average_rps" else value
            for name, value in PUBLISHED[run.name].items()
        },
    }


def _decisions(live: LiveRun) -> list[dict[str, Any]]:
    """Each live decision from the users' first minute on, beside the simulator's on the recorded metrics."""
    pairs = list(zip(live.recording.ticks, live.recording.decided_anew(), strict=True))
    return [
        {
            "minute": minute,
            "invocations_per_instance": seen.metrics.get("invocations_per_instance"),
            "in_service": seen.in_service,
            "live": seen.outcome,
            "live_desired": seen.desired,
            "simulated": anew.outcome.value,
            "simulated_desired": anew.capacity,
            "equal": seen.agrees_with(anew),
        }
        for minute, (seen, anew) in enumerate(pairs[live.first_tick :])
    ]
