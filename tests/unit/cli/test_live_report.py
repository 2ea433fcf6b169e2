from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoscaling.policies import Metric
from autoscaling.replay import RecordedTick
from cli.live_article import _facts
from cli.live_report import MINUTES, to_run
from cli.live_run import LiveRun, Plan
from cli.live_text import live_text
from loadtest.closed_loop_client import Burst
from sandbox.scaler.recording import Recording

PLAN = Plan(name="threshold_30k", target=30_000.0, instance_rps=600.0, time_scale=30.0)
EARLIER = 2
"""Minutes that were recorded before the users came."""


@pytest.fixture
def live() -> LiveRun:
    """A run without scaling in which 10 requests a second of the machine were answered, every fifth with 503."""
    finished = np.arange(0.05, 40.0, 0.1)
    codes = np.where(np.arange(finished.size) % 5 == 0, 503, 200)
    burst = Burst(seconds=40.0, codes=codes, latencies_ms=np.full(finished.size, 12.0), finished=finished)
    recording = Recording(Path("x"), PLAN.scaling, PLAN.conditions.delays, 60.0, 6000.0 - 60.0 * EARLIER)
    quiet = RecordedTick(
        capacity=1, min_capacity=1, max_capacity=10, outcome="NoAlarm", desired=1, cause="", in_service=1
    )
    for minute in range(EARLIER + MINUTES + 1):
        between_the_alarms: dict[Metric, float] = {"invocations_per_instance": 14_000.0}
        recording.ticks.append(replace(quiet, metrics=between_the_alarms if minute else {}))
        recording.observed.append(
            {"cpu_percent": 50.0 if minute > EARLIER else 0.0, "InvocationsPerInstance": 14_000.0}
        )
    return LiveRun(plan=PLAN, burst=burst, recording=recording, began=6000.0, activities=[])


def test_half_an_instance_gets_half_the_users_and_half_the_threshold() -> None:
    assert (PLAN.users, PLAN.scaled_target) == (500, 15_000.0)


def test_timelines_have_a_value_a_minute_at_real_times_rates(live: LiveRun) -> None:
    run = to_run(live, usd_per_hour=0.28)
    assert {len(column) for column in run.measured.values()} == {MINUTES}
    # 2 s of the machine are a minute: 20 requests, 16 of them good, in a sandbox minute that counts as 60 s of 8 / s
    assert run.measured["requests_per_second"] == pytest.approx([8.0] * MINUTES)
    assert run.measured["errors"] == pytest.approx([120.0] * MINUTES)
    assert run.measured["users"][0] == 25.0
    assert run.measured["cpu_percent"] == [50.0] * MINUTES  # without the minutes before the users came
    assert run.measured["p95_ms"] == [12.0] * MINUTES
    assert run.simulated["in_service"][-1] == 2.0  # the article's outcome at 30,000


def test_totals_stand_beside_the_simulators(live: LiveRun) -> None:
    run = to_run(live, usd_per_hour=0.28, published={"average_rps": 961.3, "instances_end": 1})
    assert run.totals["failed requests"]["measured"] == 80
    assert run.totals["requests / s, average"]["published"] == pytest.approx(480.65)
    assert run.totals["instances at the end"]["published"] == 1
    assert run.totals["cost of the 20 minutes, USD"]["measured"] == pytest.approx(0.28 * 20 / 60)
    assert "takes the same decision at each of 23 ticks" in run.notes[0]


def test_text_tells_each_live_decision_beside_the_simulators(live: LiveRun) -> None:
    facts = _facts(live, to_run(live, usd_per_hour=0.28))
    assert [each["minute"] for each in facts["decisions"]] == list(range(MINUTES + 1))
    assert all(each["equal"] for each in facts["decisions"])
    assert facts["instances_end"] == {"min": 1.0, "max": 1.0, "values": [1.0]}
    live.recording.ticks[EARLIER + 3] = replace(live.recording.ticks[EARLIER + 3], outcome="Scaled", desired=2)
    told = live_text([_facts(live, to_run(live, usd_per_hour=0.28))], Path("out"))
    assert "threshold_30k: 20 of 21 live decisions are the simulator's" in told
    (line,) = [line for line in told.splitlines() if line.endswith("DIFFERS")]
    assert line.split() == ["3", "14000", "1", "Scaled", "2", "NoAlarm", "1", "DIFFERS"]
