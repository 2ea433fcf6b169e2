"""A simulation as text, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from autoscaling.prices import Price
from autoscaling.result import Simulation
from cli.scaling_options import Fleet, Format

_SHOWN = ("minute", "requests", "in_service", "requests_per_instance", "cpu_percent", "p50_ms", "p95_ms", "bad_share")
_ROWS = 24  # of the timeline in text
_NOTHING = 1e-4  # a share below this is written as 0


def render(result: Simulation, fleet: Fleet, price: Price, output_format: Format) -> str:
    """Write a simulation in a format.

    Parameters
    ----------
    result, fleet, price
        What was found, for which variant, at what price.
    output_format
        CSV holds the timeline alone.

    Returns
    -------
    str
        Without a newline at the end.
    """
    if output_format is Format.CSV:
        columns = result.timeline()
        return table_as_csv(columns.keys(), zip(*columns.values(), strict=True))
    if output_format is Format.JSON:
        return json.dumps(as_dict(result, fleet, price), indent=2)
    return _as_text(result, fleet, price)


def as_dict(result: Simulation, fleet: Fleet, price: Price) -> dict[str, Any]:
    """Plain values: what was simulated, timeline, activities and summary."""
    return {
        "instance_type": fleet.instance_type,
        "scaling": fleet.scaling.model_dump(mode="json", exclude_none=True),
        "capacity": result.capacity.model_dump(mode="json"),
        "slo": result.slo.model_dump(mode="json"),
        "price": price._asdict(),
        "timeline": result.timeline(),
        "activities": [asdict(activity) for activity in result.activities],
        "summary": result.summary(),
    }


def _as_text(result: Simulation, fleet: Fleet, price: Price) -> str:
    activities = [_activity_line(activity) for activity in result.activities]
    head = (
        f"{fleet.instance_type}, {fleet.scaling.min_capacity} to {fleet.scaling.max_capacity} instances, "
        f"{result.capacity.max_rps:g} requests/s each"
    )
    timeline = _timeline_lines(result)
    parts = [head, "", *timeline, "", "Activities" if activities else "No activity", *activities, ""]
    return "\n".join([*parts, *_summary_lines(result, price)])


def _timeline_lines(result: Simulation) -> list[str]:
    columns = result.timeline()
    shown = [name for name in ("minute", "users", *_SHOWN[1:], "reason") if name in columns]
    step = max(-(-result.workload.minutes // _ROWS), 1)
    rows = [[_cell(columns[name][minute]) for name in shown] for minute in range(0, result.workload.minutes, step)]
    return [*([f"One minute in {step}:"] if step > 1 else []), *aligned(shown, rows)]


def _summary_lines(result: Simulation, price: Price) -> list[str]:
    found = result.summary()
    shares = {name: 100 * found[f"{name}_share"] for name in ("error", "rejected", "timed_out", "late")}
    source = f"{price.source}, {price.as_of}" if price.as_of else price.source
    facts = {
        "average": f"{found['average_rps']:.1f} requests/s",
        "instances": "{instances_start} at the start, {instances_end} at the end, {instances_max} at most".format(
            **found
        ),
        "cost": f"{found['cost_usd']:.2f} USD, {found['instance_hours']:.2f} instance hours at {price.usd_per_hour:g} "
        f"({source})",
        "SLO": f"p95 <= {result.slo.p95_ms:g} ms, {_violations(found)}",
        "bad requests": "{error:.2f} % (rejected {rejected:.2f}, timed out {timed_out:.2f}, late {late:.2f})".format(
            **shares
        ),
        "saturated": f"{found['saturated_minutes']} minutes, in which steady-state latencies do not hold",
    }
    return [f"{name:<13} {text}" for name, text in facts.items()]


def _violations(found: dict[str, Any]) -> str:
    return f"{found['slo_violation_minutes']} of {found['minutes']} minutes violate it"


def _activity_line(activity: Any) -> str:
    end = "" if activity.end_seconds is None else f" to {activity.end_seconds / 60:g}"
    span = f"minute {activity.start_seconds / 60:g}{end}"
    change = f"{activity.previous} -> {activity.desired}"
    return f"  {span:<22} {change:>8}  {activity.status}: {activity.cause}"


def _cell(value: Any) -> str:
    if isinstance(value, bool | str | int):
        return str(value)
    if abs(value) < _NOTHING:
        return "0"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table whose numbers stand right and whose last column stands left.

    Parameters
    ----------
    header, rows
        Cells as text.

    Returns
    -------
    list of str
        Header first.
    """
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    return [
        "  ".join([*(cell.rjust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)), row[-1]]).rstrip()
        for row in [header, *rows]
    ]


def table_as_csv(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Write a table as CSV, without a newline at the end."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(list(header))
    writer.writerows(list(row) for row in rows)
    return buffer.getvalue().rstrip("\n")
