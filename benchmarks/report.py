"""What the last results say: a chart of all bars, and the tables of docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.child import ROOT
from benchmarks.result import DIRECTORY

CHART = DIRECTORY / "bars.png"
DOCS = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"


def draw(names: Sequence[str], directory: Path = DIRECTORY) -> None:
    """Draw how far every measured bar is beyond what is wanted: 1 is exactly that, to the right is better."""
    bars = [(name, bar) for name, result in _results(names, directory) for bar in result["bars"] if _margin(bar) > 0]
    if not bars:
        return
    figure = Figure(figsize=(11, 1.2 + 0.32 * len(bars)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = ["#2a9d8f" if bar["holds"] else "#d1495b" for _, bar in bars]
    axes.barh([f"{name}: {bar['name']}" for name, bar in bars], [_margin(bar) for _, bar in bars], color=colours)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("times as good as wanted")
    axes.invert_yaxis()
    figure.savefig(directory / CHART.name, dpi=120)


def write_docs(names: Sequence[str], directory: Path = DIRECTORY, docs: Path = DOCS) -> None:
    """Replace the results in `docs` by the last ones."""
    text = docs.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    tables = "\n".join(_tables(names, directory))
    docs.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}", encoding="utf-8")


def _tables(names: Sequence[str], directory: Path) -> Iterator[str]:
    for name, result in _results(names, directory):
        machine = result["machine"]
        yield f"### {name}\n"
        yield f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}.\n"
        yield "| bar | measured | |\n| --- | ---: | --- |"
        for bar in result["bars"]:
            yield f"| {bar['name']} | {bar['measured']:.4g} | {'holds' if bar['holds'] else '**fails**'} |"
        yield "\n| what | median | unit | runs | lowest to highest | times better than |"
        yield "| --- | ---: | --- | ---: | --- | --- |"
        for row in result["rows"]:
            runs = row["runs"]
            spread = f"{min(runs):.4g} to {max(runs):.4g}" if runs else ""
            peer = f"{row['ratio']:.2f} {row['peer']}" if row["peer"] else ""
            yield f"| {row['name']} | {row['value']:.4g} | {row['unit']} | {len(runs) or ''} | {spread} | {peer} |"
        yield ""


def _results(names: Sequence[str], directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in names:
        path = directory / f"{name}.json"
        if path.exists():
            yield name, json.loads(path.read_text(encoding="utf-8"))


def _margin(bar: dict[str, Any]) -> float:
    wanted, measured = float(bar["wanted"]), float(bar["measured"])
    if wanted <= 0 or measured <= 0:  # a difference: no ratio says how good it is
        return 0.0
    return measured / wanted if ">=" in bar["name"] else wanted / measured
