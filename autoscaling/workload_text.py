"""Workloads from text: a CSV of requests a minute, an export of CloudWatch, or a name with parameters."""

import csv
import inspect
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from autoscaling.workload import (
    MOST_REQUESTS,
    ClosedLoop,
    OpenLoop,
    Workload,
    article,
    constant,
    diurnal,
    ramp,
    spike,
    staged,
)

BYTE_ORDER_MARK = "\ufeff"  # of spreadsheets and of PowerShell
_MOST_MINUTES = 366 * 1440
_MOST_PROBLEMS = 10  # enough to see what is wrong with a file


def users(count: float, ramp_minutes: int = 10, hold_minutes: int = 10, think_time_seconds: float = 0.0) -> ClosedLoop:
    """Make a closed loop whose users arrive evenly and then stay."""
    return staged([(count, ramp_minutes), (count, hold_minutes)], think_time_seconds)


NAMED: dict[str, Callable[..., Workload]] = {
    "article": article,
    "users": users,
    "constant": constant,
    "ramp": ramp,
    "spike": spike,
    "diurnal": diurnal,
}


def parse_csv(text: str) -> OpenLoop:
    """Read `minute,requests`, one row a minute from minute 0 on; blank lines and a byte order mark are passed over.

    Parameters
    ----------
    text
        The file's content.

    Returns
    -------
    OpenLoop
        Its rates.

    Raises
    ------
    ValueError
        Every problem (at most ten) with its line.
    """
    rows = _rows(text)
    header_line, header = next(rows, (1, []))
    if [name.strip() for name in header] != ["minute", "requests"]:
        raise ValueError(f"line {header_line}: header {','.join(header)!r}; wanted 'minute,requests'")
    requests: list[float] = []
    problems: list[str] = []
    for line, row in rows:
        problem, value = _read_row(row, len(requests))
        requests.append(value)
        if problem:
            problems.append(f"line {line}: {problem}")
            if "follow" in problem or len(problems) == _MOST_PROBLEMS:
                break  # after a gap every later minute would be wrong too
    if not requests:
        problems.append("line 2: no minute at all; at least one is needed")
    if problems:
        raise ValueError("; ".join(problems))
    return OpenLoop(np.array(requests))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Read the rows that are not blank, with their lines."""
    rows = csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK)))
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                yield rows.line_num, row
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num}: {error}") from None


def _read_row(row: list[str], minute: int) -> tuple[str | None, float]:
    if len(row) != 2:
        return f"{len(row)} columns; wanted 2", 0.0
    if not row[0].strip().isdecimal() or int(row[0]) != minute:
        return f"minute {row[0].strip()!r} where {minute} should follow; minutes count from 0 without gaps", 0.0
    try:
        value = float(row[1])
    except ValueError:
        return f"requests {row[1]!r}; allowed: a number", 0.0
    if not 0 <= value <= MOST_REQUESTS:
        return f"{row[1].strip()} requests; allowed: 0 to {MOST_REQUESTS:g}", 0.0
    return None, value


def parse_cloudwatch(text: str) -> OpenLoop:
    """Read Invocations (Sum, 60 s) as `aws cloudwatch get-metric-statistics` or `get-metric-data` prints them.

    Parameters
    ----------
    text
        JSON; datapoints in any order.

    Returns
    -------
    OpenLoop
        From the first datapoint to the last.

    Raises
    ------
    ValueError
        If it is neither, has no datapoints, another period or gaps.
    """
    try:
        content = json.loads(text.removeprefix(BYTE_ORDER_MARK))
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: not JSON: {error.msg}") from None
    points = sorted(_point(*each) for each in enumerate(_datapoints(content)))
    if not points:
        raise ValueError("no datapoints; export Invocations with --statistics Sum --period 60")
    for (before, _), (after, _) in pairwise(points):
        if after - before != timedelta(minutes=1):
            raise ValueError(
                f"{before.isoformat()} is followed by {after.isoformat()}; export one datapoint a minute "
                "(--period 60), without gaps"
            )
    return OpenLoop(np.array([value for _, value in points]))


def _datapoints(content: Any) -> list[tuple[Any, Any]]:
    """Find time and value of every datapoint, as they stand there."""
    if isinstance(content, dict) and isinstance(content.get("Datapoints"), list):
        rows = [row if isinstance(row, dict) else {} for row in content["Datapoints"]]
        if any("Sum" not in row for row in rows):
            raise ValueError("datapoints without Sum; export Invocations with --statistics Sum --period 60")
        return [(row.get("Timestamp"), row["Sum"]) for row in rows]
    results = content.get("MetricDataResults") if isinstance(content, dict) else None
    if isinstance(results, list) and len(results) == 1 and isinstance(results[0], dict):
        times, values = (results[0].get(name) for name in ("Timestamps", "Values"))
        if isinstance(times, list) and isinstance(values, list) and len(times) == len(values):
            return list(zip(times, values, strict=True))
        raise ValueError("MetricDataResults without as many Timestamps as Values")
    raise ValueError(
        "neither get-metric-statistics (Datapoints) nor get-metric-data with one metric (MetricDataResults)"
    )


def _point(index: int, point: tuple[Any, Any]) -> tuple[datetime, float]:
    """Read one datapoint; raises ValueError with its number."""
    time, value = point
    try:
        return moment_of(time), float(value)
    except (TypeError, ValueError, OverflowError, OSError):
        raise ValueError(
            f"datapoint {index + 1}: {value!r} requests at {time!r}; wanted a number and a time (ISO 8601)"
        ) from None


def moment_of(time: Any) -> datetime:
    """Read a time of CloudWatch's: ISO 8601, UTC unless it says otherwise, or seconds since the epoch.

    Raises
    ------
    TypeError, ValueError, OverflowError, OSError
        It is none.
    """
    if isinstance(time, int | float):
        return datetime.fromtimestamp(time, UTC)
    found = datetime.fromisoformat(time)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def parse_named(text: str) -> Workload:
    """Make a workload from a name and parameters, such as `spike:base=20000,peak=90000,begin=30,length=10,minutes=90`.

    Parameters
    ----------
    text
        A key of NAMED, a colon, and its function's parameters (rates in requests / minute).

    Returns
    -------
    Workload
        What the function makes.

    Raises
    ------
    ValueError
        If the name or a parameter is unknown, missing or no number.
    """
    name, _, rest = text.partition(":")
    if name not in NAMED:
        raise ValueError(f"no file and no workload {name!r}; workloads: {', '.join(NAMED)}")
    signature = inspect.signature(NAMED[name])
    values: dict[str, float | int] = {}
    for item in filter(None, rest.split(",")):
        key, _, number = item.partition("=")
        if key not in signature.parameters:
            raise ValueError(f"{name} has no parameter {key!r}; it has {', '.join(signature.parameters) or 'none'}")
        try:
            values[key] = _value(number, whole=signature.parameters[key].annotation is int)
        except ValueError as error:
            raise ValueError(f"{name}: {key}={number}; allowed: {error}") from None
    missing = [
        key
        for key, parameter in signature.parameters.items()
        if key not in values and parameter.default is inspect.Parameter.empty
    ]
    if missing:
        raise ValueError(f"{name} also needs {', '.join(missing)}")
    return NAMED[name](**values)


def _value(text: str, *, whole: bool) -> float | int:
    """Read a parameter; what is whole counts minutes. Raises ValueError with what is allowed."""
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        raise ValueError("a whole number" if whole else "a number") from None
    if whole and not 0 <= value <= _MOST_MINUTES:
        raise ValueError(f"0 to {_MOST_MINUTES} minutes")
    return value
