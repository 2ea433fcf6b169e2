"""Simulations conserve requests, relieve a surge when AWS does, and follow the engine decision by decision."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaling.alarms import Reading, alarms_of, evaluate
from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.delays import Delays
from autoscaling.engine import Outcome, ScalerState, decide, finish_activity
from autoscaling.metrics import metric_of
from autoscaling.policies import VariantScaling
from autoscaling.result import Simulation
from autoscaling.scheduled_ticks import due_by_tick
from autoscaling.simulator import MONDAY, simulate
from autoscaling.workload import ClosedLoop, OpenLoop, constant, spike

CAPACITY = InstanceCapacity(max_rps=1200)
PER_INSTANCE = 72_000.0  # requests / minute
TRACKING = {"kind": "target_tracking", "target": PER_INSTANCE / 2}


def scaling(*policies: dict[str, Any], low: int = 1, high: int = 10) -> VariantScaling:
    return VariantScaling.model_validate({"min_capacity": low, "max_capacity": high, "policies": policies})


def test_surge_at_default_settings_gets_relief_after_8_to_12_minutes() -> None:
    result = simulate(scaling(TRACKING), spike(20_000, 200_000, 30, 60, 120), capacity=CAPACITY)
    relief = int(np.flatnonzero(result.in_service > 1)[0]) - 30
    assert 8 <= relief <= 12
    # Three datapoints, one minute of lag, one until the action, six of provisioning.
    assert relief == 3 + 1 + 1 + 6


def test_scale_in_begins_no_sooner_than_15_minutes_after_the_load_ends() -> None:
    result = simulate(scaling(TRACKING), spike(20_000, 200_000, 30, 60, 180), capacity=CAPACITY)
    shrunk = next(record for record in result.activities if record.desired < record.previous)
    assert shrunk.start_seconds / 60 - 90 >= 15


def test_never_arriving_instances_leave_the_old_count_and_are_reported() -> None:
    delays = Delays(provisioning_seconds=None)
    result = simulate(scaling(TRACKING), constant(50_000, 120), capacity=CAPACITY, delays=delays)
    assert result.in_service.max() == 1
    assert result.activities[0].status == "Failed"
    assert result.activities[0].end_seconds == result.activities[0].start_seconds + 2040


def test_provisioning_drawn_from_a_range_stays_in_it_and_repeats_with_its_seed() -> None:
    delays = Delays(provisioning_seconds=(300, 420), seed=7)
    workload = OpenLoop(np.tile([20_000.0] * 30 + [150_000.0] * 30, 6))
    runs = [simulate(scaling(TRACKING), workload, capacity=CAPACITY, delays=delays) for _ in range(2)]
    assert runs[0].activities == runs[1].activities
    took = [
        record.end_seconds - record.start_seconds
        for record in runs[0].activities
        if record.end_seconds is not None and record.desired > record.previous
    ]
    assert len(took) > 3
    assert all(300 <= seconds < 420 + 60 for seconds in took)


def test_scheduled_action_brings_capacity_before_the_peak() -> None:
    early = {"kind": "scheduled", "schedule": "cron(20 0 * * ? *)", "min_capacity": 3}
    result = simulate(scaling(TRACKING, early), spike(20_000, 200_000, 30, 4, 60), capacity=CAPACITY)
    assert result.violation_minutes == 0
    assert result.activities[0].cause == "minimum capacity was set to 3"
    assert simulate(scaling(TRACKING), spike(20_000, 200_000, 30, 4, 60), capacity=CAPACITY).violation_minutes == 4


def test_high_resolution_alarm_acts_sooner_than_the_standard_one() -> None:
    concurrency = {"kind": "target_tracking", "metric": "concurrent_requests_per_model", "target": 4}
    workload = spike(20_000, 200_000, 30, 60, 120)
    first = {}
    for name, policy in {"standard": TRACKING, "high": concurrency}.items():
        first[name] = simulate(scaling(policy), workload, capacity=CAPACITY).activities[0].start_seconds
    assert first["high"] < first["standard"] - 60


@settings(deadline=None)
@given(
    rates=st.lists(st.floats(0, 400_000), min_size=1, max_size=60),
    routing=st.sampled_from(["RANDOM", "LEAST_OUTSTANDING_REQUESTS"]),
    count=st.integers(1, 5),
)
def test_open_loop_conserves_requests(rates: list[float], routing: Any, count: int) -> None:
    capacity = InstanceCapacity(max_rps=1200, routing=routing)
    result = simulate(scaling(low=count, high=count), OpenLoop(np.array(rates)), capacity=capacity)
    level = result.level
    assert (level.bad <= level.requests * (1 + 1e-9) + 1e-6).all()
    served = level.requests.sum() - level.rejected.sum() - level.timed_out.sum()
    assert served <= len(rates) * count * PER_INSTANCE + count * capacity.queue_limit + 1e-6
    assert (level.p50_ms <= level.p95_ms + 1e-9).all()
    assert ((level.utilisation >= 0) & (level.utilisation <= 1)).all()


def test_overload_is_rejected_where_the_queue_is_short_and_times_out_where_service_is_slow() -> None:
    fast = simulate(scaling(high=1), constant(2 * PER_INSTANCE, 30), capacity=CAPACITY).level
    assert fast.rejected.sum() == pytest.approx(30 * PER_INSTANCE - CAPACITY.queue_limit)
    assert fast.timed_out.sum() == 0
    slow = InstanceCapacity(max_rps=5)
    level = simulate(scaling(high=1), constant(600, 30), capacity=slow).level
    assert level.timed_out.sum() == pytest.approx(30 * 300 - 300)
    assert level.rejected.sum() == 0


def test_bad_share_of_an_overloaded_minute_counts_rejected_and_late_requests_once() -> None:
    result = simulate(scaling(high=1), constant(2 * PER_INSTANCE, 10), capacity=CAPACITY)
    assert result.bad_share[1:].max() == pytest.approx(1.0)
    assert result.violation_minutes == 10


def test_latency_of_an_open_loop_is_that_of_mmc() -> None:
    result = simulate(scaling(high=1), constant(0.9 * PER_INSTANCE, 3), capacity=InstanceCapacity(workers=1))
    assert result.level.p95_ms == pytest.approx(1000 * math.log(20) / (120), rel=0.01)  # 1200 - 1080 = 120 / s


def test_least_outstanding_routing_waits_less_than_random() -> None:
    tails = []
    for routing in ("RANDOM", "LEAST_OUTSTANDING_REQUESTS"):
        capacity = InstanceCapacity(routing=routing)
        tails.append(simulate(scaling(low=4), constant(3.9 * PER_INSTANCE, 3), capacity=capacity).level.p95_ms[0])
    assert tails[1] < 0.6 * tails[0]


def test_response_time_of_a_closed_loop_obeys_the_interactive_law() -> None:
    workload = ClosedLoop(np.full(11, 1000.0), think_time_seconds=0.2)
    result = simulate(scaling(high=1), workload, capacity=InstanceCapacity(unloaded_seconds=0.1))
    assert result.requests == pytest.approx(1200 * 60)
    assert result.level.p50_ms == pytest.approx(1000 * (1000 / 1200 - 0.2), rel=0.01)  # R = N / X - Z


def test_minutes_violate_when_more_than_five_per_cent_are_bad() -> None:
    slow = Slo(p95_ms=5.0)
    result = simulate(scaling(high=1), constant(0.5 * PER_INSTANCE, 3), capacity=CAPACITY, slo=slow)
    assert result.violation_minutes == 3
    assert result.bad_share[0] > 0.05


def replay(policy_scaling: VariantScaling, result: Simulation, workload: OpenLoop, delays: Delays) -> list[Any]:
    """Feed the recorded metrics through alarms.evaluate and engine.decide, as the sandbox's scaler does live."""
    alarms, dt = alarms_of(policy_scaling), 60
    lag = math.ceil(delays.publication_lag_seconds / dt)
    metrics = {
        alarm.metric: [
            float(metric_of(alarm.metric, workload, int(count), dt, CAPACITY)[tick])
            for tick, count in enumerate(result.in_service)
        ]
        for alarm in alarms
    }
    ended = {record.end_seconds for record in result.activities}
    state = ScalerState(int(result.in_service[0]), policy_scaling.min_capacity, policy_scaling.max_capacity)
    due = dict(due_by_tick(policy_scaling.scheduled_actions, workload.minutes, dt, MONDAY))
    readings, made = [Reading()] * len(alarms), []
    for tick in range(workload.minutes):
        now = tick * dt
        if now in ended:
            state = finish_activity(state, now)
        for index, alarm in enumerate(alarms):
            period = alarm.period_seconds // dt
            whole = max(tick - lag, 0) // period
            points = [sum(metrics[alarm.metric][p * period : (p + 1) * period]) for p in range(whole)]
            readings[index] = evaluate(
                alarm,
                points,
                newest_start=(whole - 1) * period * dt,
                now=now,
                previous=readings[index],
                action_delay_seconds=delays.action_delay_seconds,
            )
        decision = decide(alarms, state, readings, now, due.get(tick, ()))
        state = decision.state
        if decision.outcome is not Outcome.NO_ALARM:
            made.append((tick, decision))
    return made


STEPS_OUT = {
    "kind": "step",
    "name": "out",
    "threshold": 50_000,
    "steps": [{"lower_bound": 0, "upper_bound": 10_000, "adjustment": 1}, {"lower_bound": 10_000, "adjustment": 3}],
    "evaluation_periods": 3,
    "datapoints_to_alarm": 2,
    "metric_aggregation_type": "maximum",
    "cooldown_seconds": 120,
}
STEPS_IN = {
    "kind": "step",
    "name": "in",
    "threshold": 100_000,
    "comparison": "less_than",
    "period_seconds": 300,
    "steps": [{"upper_bound": 0, "adjustment": -20}],
    "adjustment_type": "percent_change_in_capacity",
}
NIGHT = {"kind": "scheduled", "schedule": "cron(40 0 * * ? *)", "min_capacity": 2, "max_capacity": 5}


@settings(max_examples=60, deadline=None)
@given(
    rates=st.lists(st.floats(0, 400_000), min_size=4, max_size=30),
    repeat=st.integers(1, 12),
    chosen=st.sets(st.sampled_from([0, 1, 2, 3]), min_size=1),
    lag=st.sampled_from([0, 60, 120]),
    provisioning=st.sampled_from([0, 60, 300, 420]),
)
def test_simulator_makes_the_decisions_of_evaluate_and_decide(
    rates: list[float], repeat: int, chosen: set[int], lag: int, provisioning: int
) -> None:
    policies = [[TRACKING, STEPS_OUT, STEPS_IN, NIGHT][index] for index in sorted(chosen)]
    workload = OpenLoop(np.repeat(rates, repeat))
    delays = Delays(publication_lag_seconds=lag, provisioning_seconds=provisioning)
    result = simulate(scaling(*policies), workload, capacity=CAPACITY, delays=delays)
    assert list(result.decisions) == replay(scaling(*policies), result, workload, delays)


@settings(max_examples=60, deadline=None)
@given(
    rates=st.lists(st.floats(0, 400_000), min_size=4, max_size=40),
    repeat=st.integers(1, 10),
    low=st.integers(1, 3),
    provisioning=st.sampled_from([60, 300, (300, 420), None]),
)
def test_simulation_keeps_bounds_and_one_activity_at_a_time(
    rates: list[float], repeat: int, low: int, provisioning: Any
) -> None:
    workload, delays = OpenLoop(np.repeat(rates, repeat)), Delays(provisioning_seconds=provisioning)
    bounded = scaling(TRACKING, STEPS_OUT, STEPS_IN, low=low, high=6)
    result = simulate(bounded, workload, capacity=CAPACITY, delays=delays)
    assert ((result.in_service >= low) & (result.in_service <= 6)).all()
    ends = [record.end_seconds for record in result.activities]
    starts = [record.start_seconds for record in result.activities]
    assert all(end is not None and end <= start for end, start in zip(ends, starts[1:], strict=False))
    inward = [record for record in result.activities if record.desired < record.previous]
    for before, after in pairwise(inward):
        scaled_out_between = any(
            before.start_seconds < record.start_seconds < after.start_seconds and record.desired > record.previous
            for record in result.activities
        )
        assert scaled_out_between or after.start_seconds - (before.end_seconds or 0) >= 300
    again = simulate(bounded, workload, capacity=CAPACITY, delays=delays)
    assert again.decisions == result.decisions
    assert again.summary() == result.summary()
