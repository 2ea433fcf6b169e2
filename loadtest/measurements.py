"""Reads what the fit needs from whatever a load test left: samples, Locust's history, CloudWatch, a saved run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from autoscaling.workload_text import moment_of
from loadtest.fit import Measurements
from loadtest.report import Run
from loadtest.results import Floats, ResultsError, Samples, number_of, read_jtl

INTERVAL_SECONDS = 10.0
_CLOUDWATCH = {"Invocations", "InvocationsPerInstance", "ModelLatency"}


def read_measurements(
    path: Path, *, instances: float | None, interval_seconds: float = INTERVAL_SECONDS
) -> Measurements:
    """Read measurements.

    Parameters
    ----------
    path
        JMeter's .jtl (CSV with header); Locust's ``_stats_history.csv``; GetMetricData's answer as JSON, with
        Invocations and InvocationsPerInstance (Sum) and ModelLatency (Average) a minute, labelled so; a saved run of
        the report.
    instances
        In service during the test, where the file does not tell; 1 if None.
    interval_seconds
        Samples are added up over as many seconds.

    Returns
    -------
    Measurements
        Intervals without users are left out. CloudWatch knows no users: there the requests under way in the service
        stand for them (Little's law), and the latency outside is that of an idle endpoint.

    Raises
    ------
    ResultsError
        The file is none of these; with file, and line and column or the metric.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ResultsError(f"{path}: not a text in UTF-8 (byte {error.start})") from None
    if text.lstrip()[:1] in {"{", "["}:
        found = _of_json(path, text)
    elif text.startswith("Timestamp,"):
        found = _of_locust(path, text, instances or 1.0)
    else:
        samples = read_jtl(path)
        if np.isnan(samples.users).all():
            raise ResultsError(f"{path}: the samples do not tell the users (column allThreads)")
        found = measure(samples, instances=instances or 1.0, interval_seconds=interval_seconds)
    return found


def measure(samples: Samples, *, instances: float = 1.0, interval_seconds: float = INTERVAL_SECONDS) -> Measurements:
    """Add samples up over intervals; the last one, which is cut short, is left out, and those without known users."""
    begin = float((samples.finished - samples.latency_ms / 1000).min())
    interval = ((samples.finished - begin) // interval_seconds).astype(int)
    _, number = np.unique(interval, return_inverse=True)
    told = ~np.isnan(samples.users)
    served = np.bincount(number, weights=~samples.failed)[:-1]
    seen = np.bincount(number, weights=told)[:-1]
    users = np.bincount(number, weights=np.where(told, samples.users, 0.0))[:-1]
    return _with_users(users / np.maximum(seen, 1), served / interval_seconds, np.full(served.size, instances))


def _of_json(path: Path, text: str) -> Measurements:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ResultsError(f"{path}, line {error.lineno}: not JSON: {error.msg}") from None
    if not isinstance(content, dict):
        raise ResultsError(f"{path}: neither GetMetricData's answer nor a saved run")
    return _of_cloudwatch(path, content) if "MetricDataResults" in content else _of_run(path)


def _of_run(path: Path) -> Measurements:
    try:
        measured = Run.load(path).measured
        columns = [measured.get(name) or [] for name in ("users", "requests_per_second", "in_service")]
        rows = [[float(value) for value in row] for row in zip(*columns, strict=False) if None not in row]
    except (TypeError, ValueError, AttributeError) as error:
        raise ResultsError(f"{path}: neither GetMetricData's answer nor a saved run: {error}") from None
    users, rates, instances = np.array(rows, dtype=float).reshape(-1, 3).T
    return _with_users(users, rates, instances)


def _of_locust(path: Path, text: str, instances: float) -> Measurements:
    rows = csv.DictReader(io.StringIO(text))
    wanted = ("Timestamp", "User Count", "Name", "Total Request Count", "Total Failure Count")
    if missing := [name for name in wanted if name not in (rows.fieldnames or ())]:
        raise ResultsError(f"{path}: no column {', '.join(missing)}; wanted is Locust's _stats_history.csv")
    found = [_of_locust_row(path, rows.line_num, row) for row in rows if row["Name"] == "Aggregated"]
    for (_, before), (line, after) in pairwise(found):
        if after[0] <= before[0] or after[2] < before[2]:
            raise ResultsError(f"{path}, line {line}: time or count goes back; give the history of one test")
    seconds, users, served = np.array([values for _, values in found]).reshape(-1, 3).T
    return _with_users(users[1:], np.diff(served) / np.diff(seconds), np.full(max(users.size - 1, 0), instances))


def _of_locust_row(path: Path, line: int, row: Mapping[str, str | None]) -> tuple[int, tuple[float, float, float]]:
    """Read line, and its time, users and requests answered well until then."""
    seconds, users, requests, failures = (
        number_of(path, line, row, name)
        for name in ("Timestamp", "User Count", "Total Request Count", "Total Failure Count")
    )
    return line, (seconds, users, requests - failures)


def _series(path: Path, content: Mapping[str, Any]) -> dict[str, dict[datetime, float]]:
    """Read values by time of each metric, by the first word of its label."""
    series: dict[str, dict[datetime, float]] = {}
    results = content["MetricDataResults"]
    for number, result in enumerate(results if isinstance(results, list) else (), start=1):
        try:
            name = result["Label"].split()[0]
            moments = [moment_of(time) for time in result["Timestamps"]]
            series[name] = dict(zip(moments, map(float, result["Values"]), strict=True))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
            raise ResultsError(
                f"{path}: metric {number}: {error or type(error).__name__}; wanted are a label, and as many numbers as "
                "times"
            ) from None
    return series


def _of_cloudwatch(path: Path, content: Mapping[str, Any]) -> Measurements:
    series = _series(path, content)
    missing = sorted(_CLOUDWATCH - set(series))
    if missing:
        raise ResultsError(f"{path}: no metric labelled {', '.join(missing)}; found: {', '.join(sorted(series))}")
    rows = []
    for moment in sorted(series["Invocations"]):
        values = [series[name].get(moment, 0.0) for name in ("Invocations", "InvocationsPerInstance", "ModelLatency")]
        if not all(values):
            continue
        requests, each, latency_us = values
        rows.append((requests / 60 * latency_us / 1e6, requests / 60, float(round(requests / each))))
    users, rates, instances = np.array(rows, dtype=float).reshape(-1, 3).T
    return _with_users(users, rates, instances)


def _with_users(users: Floats, rates: Floats, instances: Floats) -> Measurements:
    busy = users > 0
    return Measurements(users[busy], rates[busy], instances[busy])
