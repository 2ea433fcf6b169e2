"""Workloads from text: a CSV of requests a minute, an export of CloudWatch, or a name with parameters."""

import csv
import inspect
import io
import json
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from autoscaling.workload import ClosedLoop, OpenLoop, Workload, article, constant, diurnal, ramp, spike, staged

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
    """Read `minute,requests`, one row a minute from minute 0 on.

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
    rows = list(csv.reader(io.StringIO(text)))
    header = [name.strip() for name in rows[0]] if rows else []
    if header != ["minute", "requests"]:
        raise ValueError(f"line 1: header {','.join(header)!r}; wanted 'minute,requests'")
    requests: list[float] = []
    problems: list[str] = []
    for line, row in enumerate(rows[1:], start=2):
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


def _read_row(row: list[str], minute: int) -> tuple[str | None, float]:
    if len(row) != 2:
        return f"{len(row)} columns; wanted 2", 0.0
    if not row[0].strip().isdecimal() or int(row[0]) != minute:
        return f"minute {row[0].strip()!r} where {minute} should follow; minutes count from 0 without gaps", 0.0
    try:
        value = float(row[1])
    except ValueError:
        return f"requests {row[1]!r}; allowed: a number", 0.0
    if not math.isfinite(value) or value < 0:
        return f"{row[1].strip()} requests; allowed: a finite number, 0 or more", 0.0
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
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: not JSON: {error.msg}") from None
    points = sorted(_datapoints(content))
    if not points:
        raise ValueError("no datapoints; export Invocations with --statistics Sum --period 60")
    for (before, _), (after, _) in pairwise(points):
        if after - before != timedelta(minutes=1):
            raise ValueError(
                f"{before.isoformat()} is followed by {after.isoformat()}; export one datapoint a minute "
                "(--period 60), without gaps"
            )
    return OpenLoop(np.array([value for _, value in points]))


def _datapoints(content: Any) -> list[tuple[datetime, float]]:
    if isinstance(content, dict) and isinstance(content.get("Datapoints"), list):
        rows = content["Datapoints"]
        if any("Sum" not in row for row in rows):
            raise ValueError("datapoints without Sum; export Invocations with --statistics Sum --period 60")
        return [(_time(row["Timestamp"]), float(row["Sum"])) for row in rows]
    results = content.get("MetricDataResults") if isinstance(content, dict) else None
    if isinstance(results, list) and len(results) == 1:
        result = results[0]
        return [(_time(t), float(v)) for t, v in zip(result["Timestamps"], result["Values"], strict=True)]
    raise ValueError(
        "neither get-metric-statistics (Datapoints) nor get-metric-data with one metric (MetricDataResults)"
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


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
            values[key] = int(number) if signature.parameters[key].annotation is int else float(number)
        except ValueError:
            raise ValueError(f"{name}: {key}={number!r}; allowed: a number") from None
    missing = [
        key
        for key, parameter in signature.parameters.items()
        if key not in values and parameter.default is inspect.Parameter.empty
    ]
    if missing:
        raise ValueError(f"{name} also needs {', '.join(missing)}")
    return NAMED[name](**values)
