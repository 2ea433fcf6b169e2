"""The article's experiment: the fit, the published counts, and what they do not prove."""

import pytest

from autoscaling.article import CAPACITY, DELAYS, TESTS, compare, run


def test_two_parameters_give_the_published_average_without_scaling() -> None:
    unscaled = compare()["runs"][0]
    assert unscaled["average_rps"] == pytest.approx(961.0, abs=0.05)
    assert unscaled["published"]["average_rps"] == 961.3
    assert (CAPACITY.max_rps, CAPACITY.unloaded_seconds) == (1200, 0.664)


def test_published_counts_come_out_at_all_nine_settings() -> None:
    runs = {run["name"]: run for run in compare()["runs"]}
    assert len(DELAYS) == 9
    assert runs["threshold_30k"]["instances_end"]["values"] == [2] * 9
    assert runs["threshold_15k"]["instances_end"]["values"] == [4] * 9


def test_without_the_action_delay_the_lower_threshold_gives_three() -> None:
    without = {run["name"]: run["instances_end"]["values"] for run in compare()["without_the_fourth_choice"]}
    assert without == {"threshold_30k": [2] * 9, "threshold_15k": [3] * 9}


def test_scaling_raises_throughput_and_lowers_latency_when_instances_come() -> None:
    results = [run(test, DELAYS[4]) for test in TESTS]
    rates = [result.summary()["average_rps"] for result in results]
    assert rates == sorted(rates)
    last = [result.timeline() for result in results]
    assert last[0]["p95_ms"][-1] > last[1]["p95_ms"][-1] >= last[2]["p95_ms"][-1]
    assert last[0]["cpu_percent"][-1] > last[1]["cpu_percent"][-1] > last[2]["cpu_percent"][-1]
