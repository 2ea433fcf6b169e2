"""`report.html`: one file that opens anywhere, offline, with every picture, table and reason in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from loadtest.report.run import Run

_STYLE = """
:root { color-scheme: light; --ink: #1d2226; --faint: #5c656c; --line: #dfe3e6; --accent: #1b6ca8; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { margin-top: 2.6rem; border-top: 1px solid var(--line);
padding-top: 1.2rem } h3 { font-size: 1rem; margin: 1.6rem 0 .4rem }
p.lead, .notes { color: var(--faint) } figure { margin: 1rem 0 } svg { width: 100%; height: auto }
figure, .table { overflow-x: auto } @media (max-width: 700px) { svg { min-width: 620px } }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums } caption { text-align: left;
color: var(--faint); padding-bottom: .3rem } th, td { text-align: right; padding: .3rem .6rem;
border-bottom: 1px solid var(--line) } th:first-child, td:first-child, .text { text-align: left }
th { font-weight: 600 } nav a { margin-right: 1rem; color: var(--accent) }
"""
_TOTALS = ("measured", "simulated", "published")


def write_report(runs: Sequence[Run], folder: Path, *, title: str) -> Path:
    """Write report.html, and each run's pictures as PNG and figures as JSON.

    Parameters
    ----------
    runs
        At least one; they are compared in one table where there are several.
    folder
        Made if it is missing.
    title
        Heading of the page.

    Returns
    -------
    Path
        Of report.html.
    """
    import matplotlib as mpl  # noqa: PLC0415 - slow, and most commands that know of reports write none

    from loadtest.report.pictures import fleet_picture, load_picture, to_png, to_svg  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    sections = []
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report", "font.family": "sans-serif"}):
        for number, run in enumerate(runs):
            run.save(folder / f"{run.name}.json")
            drawings = {"load": load_picture(run), "fleet": fleet_picture(run)}
            for kind, figure in drawings.items():
                (folder / f"{run.name}-{kind}.png").write_bytes(to_png(figure))
            pictures = {kind: _own_ids(to_svg(figure), f"r{number}{kind}") for kind, figure in drawings.items()}
            sections.append(_section(run, pictures))
    page = folder / "report.html"
    page.write_text(_page(title, runs, sections), encoding="utf-8")
    return page


def _page(title: str, runs: Sequence[Run], sections: Iterable[str]) -> str:
    links = "".join(f'<a href="#{escape(run.name)}">{escape(run.name)}</a>' for run in runs)
    comparison = f"<nav>{links}</nav>{_comparison(runs)}" if len(runs) > 1 else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{comparison}{''.join(sections)}</body></html>\n"
    )


def _section(run: Run, pictures: Mapping[str, str]) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in run.notes)
    return (
        f'<h2 id="{escape(run.name)}">{escape(run.name)}</h2><p class="lead">{escape(run.summary)}</p>'
        f"<figure>{pictures['load']}</figure><figure>{pictures['fleet']}</figure>"
        f"{_totals(run)}{_activities(run)}{_statuses(run)}"
        + (f'<h3>To be known</h3><ul class="notes">{notes}</ul>' if notes else "")
    )


def _totals(run: Run) -> str:
    if not run.totals:
        return ""
    columns = [name for name in _TOTALS if any(name in row for row in run.totals.values())]
    rows = [[name, *(_figure(row.get(column)) for column in columns)] for name, row in run.totals.items()]
    return _table("Totals", ["", *columns], rows)


def _comparison(runs: Sequence[Run]) -> str:
    """Return a table with a column for each run: what was measured of each."""
    names = list(dict.fromkeys(name for run in runs for name in run.totals))
    rows = [[name, *(_figure(run.totals.get(name, {}).get("measured")) for run in runs)] for name in names]
    return _table("Measured", ["", *(run.name for run in runs)], rows) if rows else ""


def _activities(run: Run) -> str:
    if not run.activities:
        return "<h3>Scaling activities</h3><p>None.</p>"
    rows = [[f"{each['minute']:.0f}", each["change"], each["status"], each["cause"]] for each in run.activities]
    return _table("Scaling activities", ["minute", "what", "status", "cause"], rows, text=True)


def _statuses(run: Run) -> str:
    if not run.statuses:
        return ""
    names = {"0": "broken connection"}
    rows = [[names.get(code, code), f"{count:,}"] for code, count in sorted(run.statuses.items())]
    return _table("Answers by status", ["status", "requests"], rows)


def _table(heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, text: bool = False) -> str:
    kind = ' class="text"' if text else ""
    head = "".join(f"<th{kind}>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<h3>{escape(heading)}</h3><div class="table">{table}</div>'


def _figure(value: Any) -> str:
    if value is None:
        return "–"  # noqa: RUF001 - typography
    if isinstance(value, str):
        return value
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _own_ids(svg: str, prefix: str) -> str:
    """Give a drawing's ids a prefix: several drawings share a page."""
    return (
        svg.replace('id="', f'id="{prefix}').replace("url(#", f"url(#{prefix}").replace('href="#', f'href="#{prefix}')
    )
