"""Policies refuse what AWS refuses, and say where and why."""

import tomllib
from typing import Any

import pytest
from pydantic import ValidationError

from autoscaling.policies import ScheduledAction, StepScalingPolicy, TargetTrackingPolicy, VariantScaling, policy_name

STEP = {"kind": "step", "threshold": 50, "steps": [{"lower_bound": 0, "adjustment": 1}]}


def scaling(*policies: dict[str, Any], **bounds: Any) -> VariantScaling:
    return VariantScaling.model_validate({"max_capacity": 10, **bounds, "policies": policies})


def test_toml_gives_all_three_kinds_with_awss_defaults() -> None:
    text = """
    min_capacity = 1
    max_capacity = 10
    [[policies]]
    kind = "target_tracking"
    target = 30000
    [[policies]]
    kind = "step"
    threshold = 50
    steps = [{ lower_bound = 0, upper_bound = 10, adjustment = 1 }, { lower_bound = 10, adjustment = 2 }]
    [[policies]]
    kind = "scheduled"
    schedule = "cron(0 8 ? * MON-FRI *)"
    timezone = "Europe/Berlin"
    min_capacity = 4
    """
    tracking, step, scheduled = VariantScaling.model_validate(tomllib.loads(text)).policies
    assert isinstance(tracking, TargetTrackingPolicy)
    assert (tracking.scale_out_cooldown_seconds, tracking.scale_in_cooldown_seconds) == (300, 300)
    assert isinstance(step, StepScalingPolicy)
    assert (step.cooldown_seconds, step.effective_statistic, step.effective_datapoints_to_alarm) == (300, "sum", 1)
    assert isinstance(scheduled, ScheduledAction)
    assert (scheduled.timezone, scheduled.min_capacity, scheduled.max_capacity) == ("Europe/Berlin", 4, None)


@pytest.mark.parametrize(
    ("policies", "bounds", "location", "reason"),
    [
        ([], {"min_capacity": 5, "max_capacity": 2}, "", "min_capacity 5 > max_capacity 2"),
        ([], {"min_capacity": 0}, "min_capacity", "greater than or equal to 1"),
        ([], {"min_capacity": "2"}, "min_capacity", "valid integer"),
        ([{"kind": "target_tracking", "target": 0}], {}, "policies.0.target_tracking.target", "greater than 0"),
        ([{"kind": "target_tracking", "target": 1, "goal": 2}], {}, "policies.0.target_tracking.goal", "not permitted"),
        ([{"kind": "predictive"}], {}, "policies.0", "'target_tracking', 'step', 'scheduled'"),
        ([{"kind": "target_tracking", "target": 9}] * 2, {}, "", "AWS allows one for each metric"),
        ([STEP, STEP], {}, "", "give each its own name"),
        ([STEP | {"name": f"s{i}"} for i in range(51)], {}, "", "51 scaling policies; AWS allows 50"),
        ([STEP | {"steps": []}], {}, "policies.0.step.steps", "at least 1"),
        ([STEP | {"statistic": "average"}], {}, "policies.0.step", "allowed: sum"),
        ([STEP | {"period_seconds": 10}], {}, "policies.0.step", "only for concurrent_requests_per_model"),
        ([STEP | {"evaluation_periods": 1441}], {}, "policies.0.step", "at most 86400 s"),
        ([STEP | {"datapoints_to_alarm": 2}], {}, "policies.0.step", "datapoints_to_alarm 2 > evaluation_periods 1"),
        ([STEP | {"min_adjustment_magnitude": 2}], {}, "policies.0.step", "only with percent_change_in_capacity"),
        (
            [{"kind": "scheduled", "schedule": "rate(5 minutes)"}],
            {},
            "policies.0.scheduled",
            "neither min_capacity nor",
        ),
        (
            [{"kind": "scheduled", "schedule": "rate(5 minutes)", "min_capacity": 3, "max_capacity": 2}],
            {},
            "policies.0.scheduled",
            "min_capacity 3 > max_capacity 2",
        ),
        (
            [{"kind": "scheduled", "schedule": "rate(5 minutes)", "min_capacity": 11}],
            {},
            "",
            "min_capacity 11 exceeds every max_capacity (10)",
        ),
        (
            [{"kind": "scheduled", "schedule": "rate(5 minutes)", "min_capacity": 1, "timezone": "Mars/Olympus"}],
            {},
            "policies.0.scheduled.timezone",
            "unknown time zone 'Mars/Olympus'",
        ),
    ],
)
def test_policy_is_refused_with_key_and_reason_when_aws_would_refuse_it(
    policies: list[dict[str, Any]], bounds: dict[str, Any], location: str, reason: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        scaling(*policies, **bounds)
    problems = {".".join(map(str, error["loc"])): error["msg"] for error in caught.value.errors()}
    assert location in problems
    assert reason in problems[location]


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([(0, 10), (5, None)], "overlap between 5.0 and 10.0"),
        ([(0, 10), (20, None)], "gap between 10.0 and 20.0"),
        ([(0, 10)], "highest step ends at 10.0"),
        ([(-10, 0)], "lowest step starts at -10.0"),
        ([(None, None)], "without any bound"),
        ([(10, 10)], "lower_bound 10.0 is not below upper_bound 10.0"),
        ([(0, None), (10, None)], "overlap"),
    ],
)
def test_steps_are_refused_when_they_do_not_tile(steps: list[tuple[float | None, float | None]], reason: str) -> None:
    rows = [{"lower_bound": lower, "upper_bound": upper, "adjustment": 1} for lower, upper in steps]
    with pytest.raises(ValidationError, match=reason):
        scaling(STEP | {"steps": rows})


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        scaling({"kind": "target_tracking", "target": -1}, STEP | {"period_seconds": 7}, min_capacity=0)
    assert len(caught.value.errors()) == 3


def test_policy_name_is_stable_when_none_is_given() -> None:
    assert policy_name(TargetTrackingPolicy(target=30000)) == "target-tracking-invocations-per-instance"
    assert policy_name(TargetTrackingPolicy(target=30000, name="mine")) == "mine"
