import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from loadtest.fit import fit
from loadtest.measurements import read_measurements
from loadtest.report import Run
from loadtest.results import ResultsError

CAPACITY, OUTSIDE, USERS = 50.0, 0.5, 60


def users_at(second: float) -> float:
    """A ramp of 60 s, then 60 s of hold."""
    return USERS * min(second / 60, 1.0)


def throughput(second: float) -> float:
    return min(users_at(second) / OUTSIDE, CAPACITY)


def told(path: Path) -> tuple[float, float]:
    found = fit(read_measurements(path, instances=None))
    assert found.max_rps is not None
    assert found.outside_seconds is not None
    return found.max_rps.value, found.outside_seconds.value


def test_samples_of_jmeter_tell_both_parameters(tmp_path: Path) -> None:
    lines = ["timeStamp,elapsed,label,responseCode,success,allThreads"]
    finished, second = [], 0.02
    while second < 120:
        finished.append(second)
        second += 1 / max(throughput(second), 1.0)
    lines += [f"{end * 1000 - 5:.0f},5,x,200,true,{round(users_at(end))}" for end in finished]
    path = tmp_path / "kpi.jtl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert told(path) == pytest.approx((CAPACITY, OUTSIDE), rel=0.1)


def test_history_of_locust_tells_both_parameters(tmp_path: Path) -> None:
    header = "Timestamp,User Count,Type,Name,Requests/s,Failures/s,Total Request Count,Total Failure Count"
    served, lines = 0.0, [header]
    for second in range(120):
        served += throughput(second)
        lines.append(f"{1_800_000_000 + second},{users_at(second):.0f},,Aggregated,0,0,{served + 3:.0f},3")
    path = tmp_path / "locust_stats_history.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert told(path) == pytest.approx((CAPACITY, OUTSIDE), rel=0.05)


def test_cloudwatch_tells_capacity_and_the_latency_of_an_idle_endpoint(tmp_path: Path) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [(begin + timedelta(minutes=minute)).isoformat() for minute in range(20)]
    rates = [throughput(6 * minute + 3) for minute in range(20)]
    # requests that find the instance busy wait: those under way are users who are not outside
    inside = [max(users_at(6 * minute + 3) / rate - OUTSIDE + 0.02, 0.02) for minute, rate in enumerate(rates)]
    results = [
        {"Label": "Invocations", "Timestamps": moments, "Values": [60 * rate for rate in rates]},
        {"Label": "InvocationsPerInstance", "Timestamps": moments, "Values": [60 * rate for rate in rates]},
        {"Label": "ModelLatency Average", "Timestamps": moments, "Values": [1e6 * seconds for seconds in inside]},
    ]
    path = tmp_path / "cloudwatch.json"
    path.write_text(json.dumps({"MetricDataResults": results}), encoding="utf-8")
    capacity, idle = told(path)
    assert capacity == pytest.approx(CAPACITY, rel=0.05)
    assert idle == pytest.approx(0.02, rel=0.2)


def test_saved_run_of_the_report_tells_both_parameters(tmp_path: Path) -> None:
    seconds = np.arange(3.0, 120.0, 6.0)
    measured = {
        "users": [users_at(second) for second in seconds],
        "requests_per_second": [throughput(second) for second in seconds],
        "in_service": [1.0] * 20,
    }
    Run(name="x", summary="", measured=measured).save(tmp_path / "x.json")
    assert told(tmp_path / "x.json") == pytest.approx((CAPACITY, OUTSIDE), rel=0.05)


def test_export_without_a_metric_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "cloudwatch.json"
    path.write_text('{"MetricDataResults": [{"Label": "Invocations", "Timestamps": [], "Values": []}]}')
    with pytest.raises(ResultsError, match="no metric labelled InvocationsPerInstance, ModelLatency"):
        read_measurements(path, instances=None)
