"""Workloads are read from files and names, and bad input is refused with its line or key and the reason."""

import json

import numpy as np
import pytest

from autoscaling.workload import ClosedLoop, OpenLoop
from autoscaling.workload_text import parse_cloudwatch, parse_csv, parse_named

GAP = [{"Timestamp": f"2026-01-05T00:0{minute}:00Z", "Sum": 1} for minute in (0, 5)]


def test_csv_gives_one_rate_a_minute() -> None:
    assert parse_csv("minute,requests\n0,12\n1,0\n2,7.5\n").requests.tolist() == [12, 0, 7.5]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: header ''; wanted 'minute,requests'"),
        ("time,hits\n0,1\n", "line 1: header 'time,hits'"),
        ("minute,requests\n", "line 2: no minute at all"),
        ("minute,requests\n0,1\n2,1\n", "line 3: minute '2' where 1 should follow"),
        ("minute,requests\n0,1\n0,1\n", "line 3: minute '0' where 1 should follow"),
        ("minute,requests\n1,1\n", "line 2: minute '1' where 0 should follow"),
        ("minute,requests\n0,-4\n", r"line 2: -4 requests; allowed: 0 to 1e\+12"),
        ("minute,requests\n0,nan\n", "line 2: nan requests"),
        ("minute,requests\n0,many\n", "line 2: requests 'many'; allowed: a number"),
        ("minute,requests\n0\n", "line 2: 1 columns; wanted 2"),
        ("minute,requests\n0,-1\n1,x\n2,3\n", "line 2: .*; line 3: "),
    ],
)
def test_csv_is_refused_with_line_and_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_csv(text)


def test_cloudwatch_statistics_are_sorted_by_time() -> None:
    points = [{"Timestamp": f"2026-01-05T00:0{m}:00Z", "Sum": float(m), "Unit": "None"} for m in (2, 0, 1)]
    assert parse_cloudwatch(json.dumps({"Label": "Invocations", "Datapoints": points})).requests.tolist() == [0, 1, 2]


def test_cloudwatch_metric_data_is_read() -> None:
    result = {"Id": "m", "Timestamps": ["2026-01-05T00:01:00+00:00", "2026-01-05T00:00:00+00:00"], "Values": [5, 4]}
    assert parse_cloudwatch(json.dumps({"MetricDataResults": [result]})).requests.tolist() == [4, 5]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "line 1: not JSON"),
        ("[]", "neither get-metric-statistics"),
        ('{"Datapoints": []}', "no datapoints"),
        ('{"Datapoints": [{"Timestamp": "2026-01-05T00:00:00Z", "Average": 1}]}', "without Sum"),
        (json.dumps({"Datapoints": GAP}), "2026-01-05T00:00:00.* is followed by 2026-01-05T00:05:00"),
    ],
)
def test_cloudwatch_export_is_refused_with_reason(content: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_cloudwatch(content)


def test_named_workloads_take_parameters() -> None:
    spike = parse_named("spike:base=10,peak=40,begin=2,length=1,minutes=4")
    assert isinstance(spike, OpenLoop)
    assert spike.requests.tolist() == [10, 10, 40, 10]
    article = parse_named("article")
    assert isinstance(article, ClosedLoop)
    assert (article.minutes, article.users[5], article.users[20]) == (20, 500, 1000)
    users = parse_named("users:count=50,ramp_minutes=1,hold_minutes=2,think_time_seconds=1.5")
    assert isinstance(users, ClosedLoop)
    assert (users.think_time_seconds, users.users.tolist()) == (1.5, [0, 50, 50, 50])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("wave", "no file and no workload 'wave'; workloads: article"),
        ("spike:base=1", "spike also needs peak, begin, length, minutes"),
        ("constant:rate=3", "constant has no parameter 'rate'; it has per_minute, minutes"),
        ("constant:per_minute=x,minutes=3", "per_minute=x; allowed: a number"),
        ("constant:per_minute=-3,minutes=3", "minute 0: -3.0 requests"),
        ("constant:per_minute=3,minutes=0", "at least one minute"),
    ],
)
def test_named_workload_is_refused_with_key_and_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_named(text)


def test_workload_is_scaled_by_its_busiest_minute() -> None:
    scaled = OpenLoop(np.array([1.0, 4.0])).scaled_to(100.0)
    assert scaled.requests.tolist() == [25, 100]
    assert OpenLoop(np.zeros(2)).scaled_to(100.0).requests.tolist() == [0, 0]
