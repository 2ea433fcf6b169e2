"""The article's live tests as text: the tests beside each other, then every decision beside the simulator's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli.simulation_report import aligned

_TESTS = (
    "test",
    "requests/s",
    "best minute",
    "p95 ms, worst",
    "p95 ms, last",
    "failed",
    "end",
    "simulated end",
    "published end",
)
_DECISIONS = ("minute", "invocations/instance", "in service", "live", "simulated", "")


def live_text(runs: Sequence[dict[str, Any]], folder: Path) -> str:
    """Write the tests and their decisions.

    Parameters
    ----------
    runs
        From `cli.live_article.run_article`.
    folder
        Where the report is.

    Returns
    -------
    str
        Without a newline at the end.
    """
    parts = [*aligned(_TESTS, [_test_cells(run) for run in runs])]
    for run in runs:
        equal = sum(each["equal"] for each in run["decisions"])
        heading = f"{run['name']}: {equal} of {len(run['decisions'])} live decisions are the simulator's"
        parts += ["", heading, *aligned(_DECISIONS, [_decision_cells(each) for each in run["decisions"]])]
    return "\n".join([*parts, "", f"Report: {folder / 'report.html'}"])


def _test_cells(run: dict[str, Any]) -> list[str]:
    return [
        run["name"],
        f"{run['average_rps']:.1f}",
        f"{run['best_minute_rps']:.1f}",
        f"{run['p95_ms_worst_minute']:.0f}",
        f"{run['p95_ms_last_minute']:.0f}",
        str(run["failed"]),
        f"{run['instances_end']['values'][0]:.0f}",
        f"{run['simulated']['instances_end']:.0f}",
        f"{run['published']['instances_end']:.0f}",
    ]


def _decision_cells(each: dict[str, Any]) -> list[str]:
    metric = each["invocations_per_instance"]
    return [
        str(each["minute"]),
        "" if metric is None else f"{metric:.0f}",
        str(each["in_service"]),
        f"{each['live']} {each['live_desired']}",
        f"{each['simulated']} {each['simulated_desired']}",
        "equal" if each["equal"] else "DIFFERS",
    ]
