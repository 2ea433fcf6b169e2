"""Decisions follow AWS's worked examples and the rules of cooldowns, bounds and several policies."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaling.adjustment import step_capacity
from autoscaling.alarms import AlarmState, Reading, alarms_of
from autoscaling.engine import Cooldown, Decision, Outcome, ScalerState, decide, finish_activity
from autoscaling.policies import Policy, ScheduledAction, StepScalingPolicy, TargetTrackingPolicy, VariantScaling

QUIET = Reading(AlarmState.OK)


def firing(value: float, start: float = 0.0) -> Reading:
    return Reading(AlarmState.ALARM, 0.0, True, value, start)


def state_of(capacity: int = 10, low: int = 1, high: int = 100, **changes: Any) -> ScalerState:
    return ScalerState(capacity, low, high, **changes)


def once(
    *policies: Policy, readings: list[Reading], state: ScalerState | None = None, now: float = 1000.0, **due: Any
) -> Decision:
    alarms = alarms_of(VariantScaling(max_capacity=100, policies=policies))
    return decide(alarms, state or state_of(), readings, now, **due)


def step(*rows: tuple[float | None, float | None, int], **changes: Any) -> StepScalingPolicy:
    steps = [{"lower_bound": low, "upper_bound": high, "adjustment": adjustment} for low, high, adjustment in rows]
    return StepScalingPolicy.model_validate({"threshold": 50, "steps": steps, **changes})


# AWS's worked example ("How step scaling works"): thresholds 50, capacity 10.
OUT = step((0, 10, 0), (10, 20, 10), (20, None, 30), adjustment_type="percent_change_in_capacity", name="out")
IN = step(
    (-10, 0, 0),
    (-20, -10, -10),
    (None, -20, -30),
    adjustment_type="percent_change_in_capacity",
    comparison="less_than_or_equal",
    name="in",
)


def test_steps_give_awss_worked_example() -> None:
    capacities = [10]
    for now, value, policy_in_alarm in [(0, 60, 0), (1000, 70, 0), (2000, 40, 1), (3000, 30, 1)]:
        readings = [firing(value, now) if index == policy_in_alarm else QUIET for index in range(2)]
        decision = once(OUT, IN, readings=readings, state=state_of(capacities[-1]), now=now)
        capacities.append(decision.capacity)
    assert capacities == [10, 11, 14, 13, 10]


@pytest.mark.parametrize(
    ("policy", "value", "expected"),
    [
        (step((0, None, 25), adjustment_type="percent_change_in_capacity", min_adjustment_magnitude=2), 60, 6),
        (step((0, None, 1), adjustment_type="percent_change_in_capacity"), 60, 5),  # 0.04 -> 1
        (step((None, 0, -1), adjustment_type="percent_change_in_capacity", comparison="less_than"), 40, 3),
        (step((0, None, 170), adjustment_type="percent_change_in_capacity"), 60, 10),  # 6.8 -> 6
        (step((None, 0, -40), adjustment_type="percent_change_in_capacity", comparison="less_than"), 40, 3),  # -1.6
        (step((0, None, 7), adjustment_type="exact_capacity"), 60, 7),
        (step((0, None, 3)), 50, 7),  # the lower bound is inclusive above the threshold
        (step((0, 10, 1), (10, None, 2)), 60, 6),  # the upper bound is exclusive
        (step((None, 0, -1), comparison="less_than_or_equal"), 50, 3),  # at the threshold the open step below covers it
        (step((5, None, 1)), 52, 4),  # no step covers it
    ],
)
def test_step_adjustment_from_four_instances(policy: StepScalingPolicy, value: float, expected: int) -> None:
    assert step_capacity(policy, 4, value) == expected


@pytest.mark.parametrize(
    ("capacity", "value", "target", "expected"),
    [(1, 130, 5, 26), (10, 1650, 1500, 11), (2, 2250, 1500, 3), (3, 1500.0000000001, 1500, 3)],
)
def test_target_tracking_scales_out_in_proportion(capacity: int, value: float, target: float, expected: int) -> None:
    policy = TargetTrackingPolicy(target=target)
    assert once(policy, readings=[firing(value), QUIET], state=state_of(capacity)).capacity == expected


def test_target_tracking_stops_at_the_maximum() -> None:
    decision = once(TargetTrackingPolicy(target=5), readings=[firing(130), QUIET], state=state_of(1, high=4))
    assert (decision.outcome, decision.capacity) == (Outcome.SCALED, 4)
    at_max = once(TargetTrackingPolicy(target=5), readings=[firing(130), QUIET], state=state_of(4, high=4))
    assert (at_max.outcome, at_max.capacity) == (Outcome.ALREADY_AT_MAX, 4)


def test_largest_capacity_wins_when_two_steps_want_more() -> None:
    plus_three = step((0, None, 3), name="plus-3")
    plus_percent = step((0, None, 200), adjustment_type="percent_change_in_capacity", name="plus-200-percent")
    decision = once(plus_three, plus_percent, readings=[firing(60), firing(60)], state=state_of(10))
    assert decision.capacity == 30
    assert "plus-200-percent" in decision.cause


def test_scale_in_waits_until_every_target_tracking_policy_wants_it() -> None:
    requests = TargetTrackingPolicy(target=1500)
    cpu = TargetTrackingPolicy(metric="cpu_utilization", target=60)
    held = once(requests, cpu, readings=[QUIET, firing(500), QUIET, QUIET])
    assert (held.outcome, held.capacity) == (Outcome.NO_ALARM, 10)
    both = once(requests, cpu, readings=[QUIET, firing(500), QUIET, firing(40)])  # 10 x 500/1500 = 4; 10 x 40/60 = 7
    assert both.capacity == 7


def test_scale_in_ignores_a_policy_whose_scale_in_is_disabled() -> None:
    cpu = TargetTrackingPolicy(metric="cpu_utilization", target=60, disable_scale_in=True)
    decision = once(TargetTrackingPolicy(target=1500), cpu, readings=[QUIET, firing(500), QUIET])
    assert decision.capacity == 4


def test_step_scale_in_is_not_blocked_by_target_tracking() -> None:
    shrink = step((None, 0, -2), comparison="less_than")
    assert once(TargetTrackingPolicy(target=1500), shrink, readings=[QUIET, QUIET, firing(20)]).capacity == 8


def test_scale_in_is_declined_when_it_would_flap() -> None:
    # 2 x 1300 / 1500 = 1.7 instances: one would get 2600 against a target of 1500.
    decision = once(TargetTrackingPolicy(target=1500), readings=[QUIET, firing(1300)], state=state_of(2))
    assert (decision.outcome, decision.capacity) == (Outcome.ANTICIPATED_FLAPPING, 2)


def test_nothing_starts_while_the_endpoint_updates() -> None:
    policy = TargetTrackingPolicy(target=1500)
    first = once(policy, readings=[firing(3000), QUIET], now=0.0)
    second = once(policy, readings=[firing(9000), QUIET], state=first.state, now=60.0)
    assert (second.outcome, second.state) == (Outcome.UPDATING, first.state)


def test_larger_scale_out_passes_its_cooldown_and_counts_what_was_added() -> None:
    # AWS: +2 has been done, then +3 is wanted: one more.
    policy = step((0, 10, 2), (10, None, 3))
    first = once(policy, readings=[firing(55)], now=0.0)
    state = finish_activity(first.state, 300.0)
    assert (state.capacity, state.scale_out_cooldown) == (12, Cooldown(300.0, 600.0, 10))
    same = once(policy, readings=[firing(55, 420.0)], state=state, now=480.0)
    assert (same.outcome, same.capacity) == (Outcome.IN_COOLDOWN, 12)
    larger = once(policy, readings=[firing(65, 420.0)], state=state, now=480.0)
    assert (larger.outcome, larger.capacity) == (Outcome.SCALED, 13)
    over = once(policy, readings=[firing(55, 540.0)], state=state, now=600.0)
    assert over.capacity == 14


def test_cooldown_does_not_count_datapoints_from_before_the_instances_came() -> None:
    policy = TargetTrackingPolicy(target=1500)
    state = state_of(12, scale_out_cooldown=Cooldown(300.0, 600.0, 10))
    stale = once(policy, readings=[firing(9000, 240.0), QUIET], state=state, now=420.0)
    assert stale.outcome is Outcome.IN_COOLDOWN


def test_scale_in_waits_for_its_cooldown_and_a_scale_out_cancels_it() -> None:
    policy = TargetTrackingPolicy(target=1500)
    state = finish_activity(once(policy, readings=[QUIET, firing(900)], now=0.0).state, 60.0)
    assert (state.capacity, state.scale_in_until) == (6, 360.0)
    blocked = once(policy, readings=[QUIET, firing(900)], state=state, now=300.0)
    assert (blocked.outcome, blocked.capacity) == (Outcome.IN_COOLDOWN, 6)
    out = once(policy, readings=[firing(3000), QUIET], state=state, now=300.0)
    assert (out.capacity, out.state.scale_in_until) == (12, -math.inf)


def test_old_capacity_is_back_without_cooldown_when_the_instances_never_came() -> None:
    state = once(TargetTrackingPolicy(target=1500), readings=[firing(3000), QUIET]).state
    failed = finish_activity(state, 3000.0, succeeded=False)
    assert (failed.capacity, failed.activity, failed.scale_out_cooldown) == (10, None, None)
    with pytest.raises(ValueError, match="no activity is on its way"):
        finish_activity(failed, 3060.0)


def test_scheduled_action_moves_capacity_into_its_bounds_without_cooldown() -> None:
    action = ScheduledAction(schedule="rate(1 day)", min_capacity=20)
    state = state_of(10, scale_out_cooldown=Cooldown(900.0, 1200.0, 5), scale_in_until=1200.0)
    decision = once(readings=[], state=state, due=[action])
    assert (decision.outcome, decision.capacity) == (Outcome.SCALED, 20)
    assert decision.cause == "minimum capacity was set to 20"
    finished = finish_activity(decision.state, 1300.0)
    assert finished.scale_out_cooldown == Cooldown(900.0, 1200.0, 5)


def test_scheduled_action_waits_when_the_endpoint_updates() -> None:
    shrink = ScheduledAction(schedule="rate(1 day)", max_capacity=4)
    busy = once(TargetTrackingPolicy(target=1500), readings=[firing(3000), QUIET], now=0.0).state
    waiting = once(readings=[], state=busy, now=60.0, due=[shrink])
    assert (waiting.outcome, waiting.capacity, waiting.state.max_capacity) == (Outcome.UPDATING, 20, 4)
    moved = once(readings=[], state=finish_activity(waiting.state, 360.0), now=360.0)
    assert (moved.capacity, moved.cause) == (4, "maximum capacity was set to 4")


def test_maximum_follows_when_a_minimum_alone_is_set_above_it() -> None:
    decision = once(
        readings=[], state=state_of(2, high=5), due=[ScheduledAction(schedule="rate(1 day)", min_capacity=8)]
    )
    assert (decision.capacity, decision.state.min_capacity, decision.state.max_capacity) == (8, 8, 8)


readings = st.builds(
    lambda on, value, start: firing(value, start) if on else QUIET,
    st.booleans(),
    st.floats(0, 1e6),
    st.floats(0, 5000),
)


@settings(deadline=None)
@given(data=st.data(), bounds=st.tuples(st.integers(1, 50), st.integers(1, 50)).map(sorted), now=st.floats(0, 5000))
def test_capacity_stays_within_bounds_and_decisions_are_deterministic(
    data: st.DataObject, bounds: list[int], now: float
) -> None:
    policies = (TargetTrackingPolicy(target=1500), OUT, IN, step((0, None, 3), cooldown_seconds=0, name="more"))
    alarms = alarms_of(VariantScaling(max_capacity=50, policies=policies))
    state = state_of(
        data.draw(st.integers(*bounds)),
        bounds[0],
        bounds[1],
        scale_out_cooldown=data.draw(st.none() | st.just(Cooldown(100.0, 4000.0, bounds[0]))),
        scale_in_until=data.draw(st.floats(0, 5000)),
    )
    seen = [data.draw(readings) for _ in alarms]
    decision = decide(alarms, state, seen, now)
    assert decision == decide(alarms, state, seen, now)
    assert bounds[0] <= decision.capacity <= bounds[1]
    assert (decision.outcome is Outcome.SCALED) == (decision.capacity != state.capacity)
    if decision.capacity < state.capacity:
        assert now >= state.scale_in_until
    if not any(reading.firing for reading in seen):
        assert decision.outcome is Outcome.NO_ALARM
