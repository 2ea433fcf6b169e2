"""Alarms change state as CloudWatch documents, missing data included."""

from typing import Any

import pytest

from autoscaling.alarms import Alarm, AlarmState, Reading, alarms_of, evaluate
from autoscaling.policies import StepScalingPolicy, TargetTrackingPolicy, VariantScaling

X, W, M = 1.0, 0.0, None  # breaching, within, missing


def step_alarm(**changes: Any) -> Alarm:
    step = {"threshold": 0.5, "comparison": "greater_than", "steps": [{"lower_bound": 0, "adjustment": 1}]}
    policy = StepScalingPolicy.model_validate({**step, **changes})
    return alarms_of(VariantScaling(max_capacity=10, policies=(policy,)))[0]


def read(alarm: Alarm, values: list[float | None], current: AlarmState = AlarmState.OK, delay: float = 0.0) -> Reading:
    previous = Reading(current, since=0.0)
    return evaluate(alarm, values, newest_start=540.0, now=600.0, previous=previous, action_delay_seconds=delay)


# The rows of the tables in "Configuring how CloudWatch alarms treat missing data"; columns missing, ignore, breaching,
# not_breaching; KEEP is the page's "Retain current state".
OK, ALARM, NO_DATA, KEEP = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA, "keep"
THREE_OF_THREE = [
    ([W, M, X, M, X], (OK, OK, OK, OK)),
    ([M, M, M, M, W], (OK, OK, OK, OK)),
    ([M, M, M, M, M], (NO_DATA, KEEP, ALARM, OK)),
    ([W, X, X, M, X], (ALARM, ALARM, ALARM, ALARM)),
    ([M, M, X, M, M], (ALARM, KEEP, ALARM, OK)),
]
TWO_OF_THREE = [
    ([W, M, X, M, X], (ALARM, ALARM, ALARM, ALARM)),
    ([W, W, X, W, X], (ALARM, ALARM, ALARM, ALARM)),
    ([W, M, X, M, M], (OK, OK, ALARM, OK)),
    ([M, M, M, M, W], (OK, OK, ALARM, OK)),
    ([M, M, M, X, M], (ALARM, KEEP, ALARM, OK)),
]
TREATMENTS = ("missing", "ignore", "breaching", "not_breaching")


@pytest.mark.parametrize(
    ("datapoints_to_alarm", "values", "expected"),
    [(3, *row) for row in THREE_OF_THREE] + [(2, *row) for row in TWO_OF_THREE],
)
def test_missing_data_is_treated_as_in_awss_tables(
    datapoints_to_alarm: int, values: list[float | None], expected: tuple[Any, ...]
) -> None:
    for treatment, state in zip(TREATMENTS, expected, strict=True):
        alarm = step_alarm(evaluation_periods=3, datapoints_to_alarm=datapoints_to_alarm, missing_data=treatment)
        for current in AlarmState:
            assert read(alarm, values, current).state == (current if state is KEEP else state), treatment


def test_target_tracking_alarms_are_those_seen_on_an_endpoint_when_target_is_1500() -> None:
    high, low = alarms_of(VariantScaling(max_capacity=4, policies=(TargetTrackingPolicy(target=1500),)))
    assert (high.threshold, high.datapoints_to_alarm, high.evaluation_periods) == (1500, 3, 3)
    assert (low.threshold, low.datapoints_to_alarm, low.evaluation_periods) == (1350, 15, 15)
    assert (high.comparison, low.comparison) == ("greater_than", "less_than")
    assert {high.statistic, low.statistic} == {"sum"}


def test_scale_in_alarm_is_absent_when_scale_in_is_disabled() -> None:
    policy = TargetTrackingPolicy(target=1500, disable_scale_in=True)
    assert [alarm.role for alarm in alarms_of(VariantScaling(max_capacity=4, policies=(policy,)))] == ["scale_out"]


def test_alarm_has_insufficient_data_until_its_window_is_full() -> None:
    alarm = step_alarm(evaluation_periods=3)
    assert read(alarm, [X, X]).state is AlarmState.INSUFFICIENT_DATA
    assert read(alarm, [X, X, X]).state is AlarmState.ALARM


def test_action_follows_one_evaluation_after_the_alarm_when_delayed() -> None:
    alarm = step_alarm()
    entered = read(alarm, [X], delay=60.0)
    assert (entered.state, entered.since, entered.firing) == (AlarmState.ALARM, 600.0, False)
    later = evaluate(alarm, [X, 3.0], newest_start=600.0, now=660.0, previous=entered, action_delay_seconds=60.0)
    assert (later.since, later.firing, later.value, later.datapoint_start) == (600.0, True, 3.0, 600.0)


def test_datapoint_start_is_that_of_the_last_real_value_when_the_newest_are_missing() -> None:
    alarm = step_alarm(evaluation_periods=2, datapoints_to_alarm=1)
    reading = read(alarm, [W, X, M, M])
    assert (reading.firing, reading.value, reading.datapoint_start) == (True, 0.5, 420.0)


@pytest.mark.parametrize(("kind", "value"), [("average", 2.0), ("minimum", 1.0), ("maximum", 3.0)])
def test_step_policy_sees_its_aggregate_over_the_evaluation_periods(kind: str, value: float) -> None:
    alarm = step_alarm(evaluation_periods=3, metric_aggregation_type=kind)
    assert read(alarm, [9.0, 1.0, 3.0, 2.0]).value == value


def test_alarm_without_any_value_moves_nothing_when_missing_data_is_breaching() -> None:
    reading = read(step_alarm(missing_data="breaching"), [M, M, M])
    assert (reading.state, reading.firing) == (AlarmState.ALARM, False)
