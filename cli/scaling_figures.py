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
    _steps(axes[0], [value / 60 for value in columns["requests"]], color=GREEN, label="hits")
    axes[0].set_ylabel("requests / s")
    if "users" in columns:
        users = axes[0].twinx()
        _steps(users, columns["users"], color=GREY, linestyle=":", label="users")
        axes[0].plot([], [], color=GREY, linestyle=":", label="users")  # for the legend: the twin has none
        users.set_ylabel("users")
        users.set_ylim(bottom=0)
    _steps(axes[1], columns["p95_ms"], color=ORANGE, label="p95")
    _steps(axes[1], columns["p50_ms"], color=BLUE, label="median")
    axes[1].axhline(result.slo.p95_ms, color=RED, linewidth=0.8, linestyle="--", label="SLO")
    axes[1].set_ylabel("response time, ms")
    _steps(axes[2], columns["cpu_percent"], color=RED, label="CPU")
    axes[2].set_ylabel("CPU, %")
    _steps(axes[3], columns["desired"], color=GREY, linestyle=":", label="desired")
    _steps(axes[3], columns["in_service"], color=BLUE, label="in service")
    _steps(axes[3], columns["demand"], color=GREEN, linewidth=0.8, label="needed")
    axes[3].set_ylabel("instances")
    for each in axes:
        for minute in [minute for minute, bad in enumerate(columns["violating"]) if bad]:
            each.axvspan(minute, minute + 1, color=RED, alpha=0.12, linewidth=0)
        _finish(each)
    _count_minutes(axes[3])
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
    axes.margins(x=0.03)
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
    rows = {"requests": ("requests / s", GREEN), "p95_ms": ("p95, ms", ORANGE)}
    rows |= {"cpu_percent": ("CPU, %", RED), "in_service": ("instances", BLUE)}
    for column, (name, result) in enumerate(results):
        values = result.timeline()
        axes[0][column].set_title(name)
        for row, (key, (label, colour)) in enumerate(rows.items()):
            series = [value / 60 for value in values[key]] if key == "requests" else values[key]
            _steps(axes[row][column], series, color=colour)
            axes[row][0].set_ylabel(label)
    for each in axes.flat:  # once all is drawn: the rows share their limits
        _finish(each)
    for each in axes[-1]:
        _count_minutes(each)
    return figure


def _steps(axes: Axes, values: Sequence[float], **looks: Any) -> None:
    """Draw one value a minute, up to the last minute's end."""
    axes.step(range(len(values) + 1), [*values, values[-1]], where="post", **looks)


def _count_minutes(axes: Axes) -> None:
    axes.set_xlabel("minute")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


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
