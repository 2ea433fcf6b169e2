"""The article's two pictures of a load test, with what the simulator said beside what was measured."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from loadtest.report.run import COLUMNS, Column, Run

BLUE, ORANGE, GREY, RED, GREEN = "#1b6ca8", "#d9731a", "#7a828a", "#b3261e", "#3c7d3c"


def load_picture(run: Run) -> Figure:
    """Draw users, response time and hits over the minutes."""
    figure, axes = _panels(3, 5.6)
    _draw(axes[0], run, {"users": (GREY, "users")})
    _draw(axes[1], run, {"p95_ms": (ORANGE, "p95"), "p50_ms": (BLUE, "median")})
    axes[1].set_ylabel("response time, ms")
    _draw(axes[2], run, {"requests_per_second": (GREEN, "hits")})
    _finish(axes, run)
    return figure


def fleet_picture(run: Run) -> Figure:
    """Draw CPU of an instance, instances and invocations of an instance over the minutes."""
    figure, axes = _panels(3, 5.6)
    _draw(axes[0], run, {"cpu_percent": (RED, "CPU")})
    _draw(axes[1], run, {"in_service": (BLUE, "in service")}, steps=True)
    axes[1].yaxis.set_major_locator(MaxNLocator(integer=True))
    for activity in run.activities:
        axes[1].axvline(activity["minute"], color=GREY, linewidth=0.8, linestyle=":")
    _draw(axes[2], run, {"invocations_per_instance": (GREEN, "invocations")})
    _finish(axes, run)
    return figure


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG that stands in a page: text stays text, nothing is loaded from elsewhere."""
    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def to_png(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    buffer = io.BytesIO()
    figure.set_dpi(130)
    FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def _panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(8.4, height), layout="constrained")
    panels: Any = figure.subplots(count, 1, sharex=True)
    return figure, list(panels)


def _draw(axes: Axes, run: Run, columns: Mapping[str, tuple[str, str]], *, steps: bool = False) -> None:
    both = bool(run.simulated)
    for name, (colour, label) in columns.items():
        looks: dict[str, Any] = {"color": colour, "drawstyle": "steps-post" if steps else "default"}
        if name in run.simulated:
            _plot(axes, run.simulated[name], f"{label}, simulated", linewidth=1.3, linestyle="--", alpha=0.75, **looks)
        if name in run.measured:
            _plot(axes, run.measured[name], f"{label}, measured" if both else label, linewidth=2.0, **looks)
    axes.set_ylabel(COLUMNS[next(iter(columns))])
    if not axes.lines:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center", color=GREY)
        axes.set_yticks([])


def _plot(axes: Axes, column: Column, label: str, **looks: Any) -> None:
    """Draw a column if it has values; one that stands alone is a dot, because a line needs two."""
    values = np.array([np.nan if value is None else value for value in column], dtype=float)
    if np.isnan(values).all():
        return
    minutes = np.arange(values.size) + 0.5
    if looks["drawstyle"] == "steps-post":  # from each minute's beginning, the last one to its end
        minutes, values = np.arange(values.size + 1.0), np.append(values, values[-1])
    known = np.concatenate([[False], ~np.isnan(values), [False]])
    alone = known[1:-1] & ~known[:-2] & ~known[2:]
    axes.plot(minutes, values, label=label, marker="o", markersize=4, markevery=np.flatnonzero(alone).tolist(), **looks)


def _finish(axes: list[Axes], run: Run) -> None:
    for each in axes:
        each.grid(axis="y", color="#e3e6e8", linewidth=0.8)
        each.set_axisbelow(True)
        for side in ("top", "right"):
            each.spines[side].set_visible(False)
        if each.lines:
            each.legend(loc="upper left", bbox_to_anchor=(1.005, 1.0), frameon=False, fontsize=8)
        each.yaxis.label.set_fontsize(9)
        each.tick_params(labelsize=8)
        each.margins(x=0.01)
        each.set_ylim(bottom=0)
    axes[-1].set_xlim(0, run.minutes)
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[-1].set_xlabel("minute", fontsize=9)
