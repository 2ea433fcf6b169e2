"""What the last results say: a chart of all bars, and the tables of docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.child import ROOT, MeasurementError
from benchmarks.result import DIRECTORY

CHART: Final = DIRECTORY / "bars.png"
DOCS: Final = ROOT / "docs" / "performance.md"
PICTURE: Final = Path("pictures", "performance.png")  # beside the page
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"
LEAST_RUNS: Final = 5

Results = Mapping[str, Mapping[str, Any]]


def read(names: Sequence[str], directory: Path = DIRECTORY) -> dict[str, dict[str, Any]]:
    """Return the last result of every benchmark that has one."""
    paths = {name: directory / f"{name}.json" for name in names}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}


def draw(results: Results, path: Path = CHART) -> None:
    """Draw how far every measured bar is beyond what is wanted: 1 is exactly that, to the right is better."""
    bars = [(name, bar) for name, result in results.items() for bar in result["bars"] if _margin(bar) > 0]
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
    figure.savefig(path, dpi=110)


def write_docs(names: Sequence[str], directory: Path = DIRECTORY, docs: Path = DOCS) -> None:
    """Replace the results in `docs`, and the picture beside it, by the last ones; each may be of a run of its own.

    Raises
    ------
    MeasurementError
        A benchmark has no result, or one of too few runs.
    """
    results = read(names, directory)
    if problems := list(_unfit(names, results)):
        raise MeasurementError("; ".join(problems))
    text = docs.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    lines = "\n".join([*_summary(results), *_figures(results)])
    docs.write_text(f"{before}{BEGIN}\n{lines}\n{END}{after}", encoding="utf-8")
    draw(results, docs.parent / PICTURE)


def _unfit(names: Sequence[str], results: Results) -> Iterator[str]:
    for name in names:
        if name not in results:
            yield f"{name} was not measured: `sagescale bench {name}`"
        elif (runs := max(len(row["runs"]) for row in results[name]["rows"])) < LEAST_RUNS:
            yield f"{name} was measured {runs} times, {LEAST_RUNS} are wanted: `sagescale bench {name}`"


def _summary(results: Results) -> Iterator[str]:
    """Yield the machines, and one table of every bar."""
    for machine in dict.fromkeys(_machine(result["machine"]) for result in results.values()):
        yield f"{machine}.\n"
    bars = [(name, bar) for name, result in results.items() for bar in result["bars"]]
    yield f"{sum(bar['holds'] for _, bar in bars)} of {len(bars)} bars hold.\n"
    yield "| benchmark | bar | wanted | measured | |\n| --- | --- | ---: | ---: | --- |"
    for name, bar in bars:
        what, sign = bar["name"].split(" ")[:-2], bar["name"].split(" ")[-2]
        wanted, measured = f"{sign} {bar['wanted']:g}", _rounded(bar["measured"])
        yield f"| {name} | {' '.join(what)} | {wanted} | {measured} | {'holds' if bar['holds'] else '**misses**'} |"
    yield f"\n![How far every bar is beyond what is wanted]({PICTURE})\n"


def _figures(results: Results) -> Iterator[str]:
    """Yield a table of medians for every benchmark: one line a subject, one column a unit."""
    for name, result in results.items():
        yield f"### {name}\n"
        if result["versions"]:
            yield ", ".join(result["versions"]) + ".\n"
        units = list(dict.fromkeys(row["unit"] for row in result["rows"]))
        subjects: dict[str, dict[str, str]] = {}
        for row in result["rows"]:
            subjects.setdefault(row["name"], {})[row["unit"]] = _cell(row)
        yield "| |" + "".join(f" {unit} |" for unit in units) + "\n| --- |" + " ---: |" * len(units)
        for subject, cells in subjects.items():
            yield f"| {subject} |" + "".join(f" {cells.get(unit, '')} |" for unit in units)
        yield ""


def _cell(row: Mapping[str, Any]) -> str:
    runs = row["runs"]
    spread = f" ({_rounded(min(runs))} to {_rounded(max(runs))})" if runs else ""
    ratio = f", {row['ratio']:.3g}x" if row["peer"] else ""
    return f"{_rounded(row['value'])}{spread}{ratio}"


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _machine(machine: Mapping[str, Any]) -> str:
    name = f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}"
    return f"{name}, {machine['date']}"


def _margin(bar: Mapping[str, Any]) -> float:
    wanted, measured = float(bar["wanted"]), float(bar["measured"])
    if wanted <= 0 or measured <= 0:  # a difference: no ratio says how good it is
        return 0.0
    return measured / wanted if ">=" in bar["name"] else wanted / measured
