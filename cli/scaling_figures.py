"""Pictures of simulations and plans, in the shape of the article's: users, response time, hits; CPU and instances."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autoscaling.planner import Plan
from autoscaling.result import Simulation

BLUE, ORANGE, GREY, RED, GREEN = "#1b6ca8", "#d9731a", "#7a828a", "#b3261e", "#3c7d3c"


def of_simulation(result: Simulation, title: str) -> Figure:
    """Draw one simulation over its minutes.

    Parameters
    ----------
    result
        What was found.
    title
        What was simulated.

    Returns
    -------
    Figure
        Load, response time, CPU, instances; minutes that violate the SLO are shaded.
    """
    figure = Figure(figsize=(9, 8), layout="constrained")
    figure.suptitle(title)
    axes: Sequence[Axes] = figure.subplots(4, 1, sharex=True)
    columns = result.timeline()
    minutes = columns["minute"]
    axes[0].plot(minutes, [value / 60 for value in columns["requests"]], color=GREEN, label="hits")
    axes[0].set_ylabel("requests / s")
    if "users" in columns:
        users = axes[0].twinx()
        users.plot(minutes, columns["users"], color=GREY, linestyle=":", label="users")
        users.set_ylabel("users")
        users.set_ylim(bottom=0)
    axes[1].plot(minutes, columns["p95_ms"], color=ORANGE, label="p95")
    axes[1].plot(minutes, columns["p50_ms"], color=BLUE, label="median")
    axes[1].axhline(result.slo.p95_ms, color=RED, linewidth=0.8, linestyle="--", label="SLO")
    axes[1].set_ylabel("response time, ms")
    axes[2].plot(minutes, columns["cpu_percent"], color=RED, label="CPU")
    axes[2].set_ylabel("CPU, %")
    axes[3].step(minutes, columns["desired"], where="post", color=GREY, linestyle=":", label="desired")
    axes[3].step(minutes, columns["in_service"], where="post", color=BLUE, label="in service")
    axes[3].step(minutes, columns["demand"], where="post", color=GREEN, linewidth=0.8, label="needed")
    axes[3].set_ylabel("instances")
    axes[3].yaxis.set_major_locator(MaxNLocator(integer=True))
    axes[3].set_xlabel("minute")
    for each in axes:
        for minute in [minute for minute, bad in zip(minutes, columns["violating"], strict=True) if bad]:
            each.axvspan(minute, minute + 1, color=RED, alpha=0.12, linewidth=0)
        _finish(each)
    return figure


def of_plan(plan: Plan, title: str) -> Figure:
    """Draw the Pareto front of a plan, with its choice, AWS's rule and no scaling.

    Parameters
    ----------
    plan
        What was found.
    title
        What was planned for.

    Returns
    -------
    Figure
        Cost against violating minutes.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    front = sorted(plan.front, key=lambda candidate: candidate.score.cost_usd)
    axes.step(
        [candidate.score.cost_usd for candidate in front],
        [candidate.score.slo_violation_minutes for candidate in front],
        where="post",
        color=GREY,
        marker=".",
        label="Pareto front",
    )
    points = {
        "chosen": (plan.chosen, GREEN),
        "AWS's rule": (plan.aws_rule, ORANGE),
        "no scaling": (plan.no_scaling, RED),
    }
    for label, (appraisal, colour) in points.items():
        axes.plot(appraisal.score.cost_usd, appraisal.score.slo_violation_minutes, "o", color=colour, label=label)
    axes.set_xlabel("cost, USD")
    axes.set_ylabel("minutes that violate the SLO (mean over the delays)")
    _finish(axes)
    return figure


def of_tests(results: Sequence[tuple[str, Simulation]], title: str) -> Figure:
    """Draw the article's tests side by side.

    Parameters
    ----------
    results
        Name and simulation of each test, at one delay setting.
    title
        Of the picture.

    Returns
    -------
    Figure
        One column a test: hits, response time, CPU, instances.
    """
    figure = Figure(figsize=(4 * len(results), 8), layout="constrained")
    figure.suptitle(title)
    axes: Any = figure.subplots(4, len(results), sharex=True, sharey="row", squeeze=False)
    rows = ("requests", "p95_ms", "cpu_percent", "in_service")
    labels = ("requests / s", "p95, ms", "CPU, %", "instances")
    for column, (name, result) in enumerate(results):
        values = result.timeline()
        axes[0][column].set_title(name)
        for row, (key, colour) in enumerate(zip(rows, (GREEN, ORANGE, RED, BLUE), strict=True)):
            series = [value / 60 for value in values[key]] if key == "requests" else values[key]
            axes[row][column].step(values["minute"], series, where="post", color=colour)
            axes[row][0].set_ylabel(labels[row])
            _finish(axes[row][column])
        axes[-1][column].set_xlabel("minute")
    return figure


def write(figure: Figure, path: Path) -> None:
    """Write a picture; the suffix says how."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def _finish(axes: Axes) -> None:
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.grid(axis="y", color="#e3e6e8", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="upper left", bbox_to_anchor=(1.06, 1.0), frameon=False, fontsize=8)
