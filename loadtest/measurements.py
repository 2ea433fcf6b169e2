"""Reads what the fit needs from whatever a load test left: samples, Locust's history, CloudWatch, a saved run."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.fit import Measurements
from loadtest.report import Run
from loadtest.results import ResultsError, Samples, read_jtl

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
        The file is none of these.
    """
    text = path.read_text(encoding="utf-8")
    if text.lstrip()[:1] == "{":
        content = json.loads(text)
        found = _of_cloudwatch(path, content) if "MetricDataResults" in content else _of_run(Run.load(path))
    elif text.startswith("Timestamp,"):
        found = _of_locust(path, text, instances or 1.0)
    else:
        found = measure(read_jtl(path), instances=instances or 1.0, interval_seconds=interval_seconds)
    if not found.users.size:
        raise ResultsError(f"{path}: no interval with users")
    return found


def measure(samples: Samples, *, instances: float = 1.0, interval_seconds: float = INTERVAL_SECONDS) -> Measurements:
    """Add samples up over intervals; the last one, which is cut short, is left out.

    Raises
    ------
    ResultsError
        The samples do not tell how many users there were.
    """
    if np.isnan(samples.users).all():
        raise ResultsError("the samples do not tell the users (column allThreads)")
    begin = float((samples.finished - samples.latency_ms / 1000).min())
    interval = ((samples.finished - begin) // interval_seconds).astype(int)
    rates, users = [], []
    for number in range(int(interval.max())):
        now = interval == number
        rates.append(float((now & ~samples.failed).sum()) / interval_seconds)
        users.append(float(np.nanmean(samples.users[now])) if now.any() else 0.0)
    return _with_users(users, rates, [instances] * len(rates))


def _of_run(run: Run) -> Measurements:
    columns = [run.measured.get(name) or [] for name in ("users", "requests_per_second", "in_service")]
    rows = [row for row in zip(*columns, strict=False) if None not in row]
    users, rates, instances = zip(*rows, strict=True) if rows else ((), (), ())
    return _with_users(list(users), list(rates), list(instances))


def _of_locust(path: Path, text: str, instances: float) -> Measurements:
    users: list[float] = []
    seconds: list[float] = []
    served: list[float] = []
    for row in csv.DictReader(io.StringIO(text)):
        if row["Name"] != "Aggregated":
            continue
        try:
            seconds.append(float(row["Timestamp"]))
            served.append(float(row["Total Request Count"]) - float(row["Total Failure Count"]))
            users.append(float(row["User Count"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ResultsError(f"{path}: not Locust's stats history: {error}") from error
    rates = [
        (later - earlier) / max(end - begin, 1e-9)
        for (earlier, later), (begin, end) in zip(pairwise(served), pairwise(seconds), strict=True)
    ]
    return _with_users(users[1:], rates, [instances] * len(rates))


def _of_cloudwatch(path: Path, content: dict[str, Any]) -> Measurements:
    series: dict[str, dict[datetime, float]] = {}
    for result in content["MetricDataResults"]:
        name = result["Label"].split()[0]
        moments = [datetime.fromisoformat(text) for text in result["Timestamps"]]
        series[name] = dict(zip(moments, result["Values"], strict=True))
    missing = sorted(_CLOUDWATCH - set(series))
    if missing:
        raise ResultsError(f"{path}: no metric labelled {', '.join(missing)}; found: {', '.join(sorted(series))}")
    users, rates, instances = [], [], []
    for moment in sorted(series["Invocations"]):
        values = [series[name].get(moment, 0.0) for name in ("Invocations", "InvocationsPerInstance", "ModelLatency")]
        if not all(values):
            continue
        requests, each, latency_us = values
        rates.append(requests / 60)
        users.append(requests / 60 * latency_us / 1e6)
        instances.append(float(round(requests / each)))
    return _with_users(users, rates, instances)


def _with_users(users: list[float], rates: list[float], instances: list[float]) -> Measurements:
    busy = np.array(users) > 0
    return Measurements(np.array(users)[busy], np.array(rates)[busy], np.array(instances, dtype=float)[busy])
