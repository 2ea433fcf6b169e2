import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from autoscaling.alarms import AlarmState
from autoscaling.delays import Delays
from autoscaling.engine import Decision, Outcome
from autoscaling.policies import (
    Metric,
    ScheduledAction,
    StepAdjustment,
    StepScalingPolicy,
    TargetTrackingPolicy,
    VariantScaling,
)
from autoscaling.replay import decide_anew
from sandbox.scaler.follower import Follower, Sighting

THRESHOLD_15K = VariantScaling(max_capacity=10, policies=(TargetTrackingPolicy(target=15_000),))


class Fleet:
    """An endpoint under load: `users` who never wait ask `rate` requests a minute, an instance answers `limit`."""

    def __init__(self, follower: Follower, *, limit: float = 72_000, provisioning_ticks: int = 6) -> None:
        self.follower, self.limit, self.provisioning_ticks = follower, limit, provisioning_ticks
        self.in_service = self.desired = follower.state.capacity
        self.arrives: int | None = None
        self.comes = True

    def tick(self, rate: float, due: Sequence[ScheduledAction] = ()) -> None:
        tick = len(self.follower.recorded)
        if self.arrives is not None and tick >= self.arrives:
            self.arrives = None
            if self.comes:
                self.in_service = self.desired
            self.desired = self.in_service
        served = min(rate, self.limit * self.in_service)
        metrics: dict[Metric, float] = {
            "invocations_per_instance": served / self.in_service,
            "cpu_utilization": 100 * served / self.in_service / self.limit,
        }
        steady = self.arrives is None
        decision = self.follower.look(Sighting(metrics, self.in_service, self.desired, steady), due)
        if decision.outcome is Outcome.SCALED:
            self.desired = decision.capacity
            if self.desired < self.in_service:
                self.in_service = self.desired
            self.arrives = tick + self.provisioning_ticks

    def replayed(self) -> list[Decision]:
        follower = self.follower
        return decide_anew(
            follower.scaling, follower.recorded, tick_seconds=follower.tick_seconds, delays=follower.delays
        )


def agree(fleet: Fleet) -> bool:
    pairs = zip(fleet.follower.recorded, fleet.replayed(), strict=True)
    return all(recorded.agrees_with(decision) for recorded, decision in pairs)


def test_surge_is_answered_after_three_datapoints_lag_and_one_evaluation() -> None:
    fleet = Fleet(Follower(THRESHOLD_15K, 1, Delays()))
    for _ in range(12):
        fleet.tick(60_000)
    outcomes = [seen.outcome for seen in fleet.follower.recorded]
    # the datapoint of minute 2 ends at tick 3, is published at 4, and its alarm acts one evaluation later
    assert outcomes.index("Scaled") == 5
    assert fleet.follower.recorded[5].desired == 4  # ceil(1 x 60,000 / 15,000)
    assert outcomes[6:11] == ["TargetServicePutResourceAsUnscalable"] * 5
    assert agree(fleet)


@pytest.mark.parametrize("seed", range(20))
def test_recorded_decisions_are_the_simulators_whatever_the_load(seed: int) -> None:
    chance = random.Random(seed)
    steps = StepScalingPolicy(
        metric="cpu_utilization",
        threshold=60.0,
        evaluation_periods=2,
        steps=(
            StepAdjustment(lower_bound=0.0, upper_bound=20.0, adjustment=1),
            StepAdjustment(lower_bound=20.0, adjustment=3),
        ),
        cooldown_seconds=120,
    )
    action = ScheduledAction(schedule="rate(1 hour)", min_capacity=3)
    scaling = VariantScaling(max_capacity=8, policies=(TargetTrackingPolicy(target=20_000), steps, action))
    fleet = Fleet(Follower(scaling, 1, Delays(publication_lag_seconds=chance.choice([0, 60, 120]))))
    rate = 10_000.0
    for minute in range(240):
        rate = max(rate * chance.uniform(0.75, 1.32), 100.0)
        if minute % 40 == 0:
            rate = chance.choice([0.0, 5_000.0, 300_000.0])
        fleet.comes = chance.random() > 0.1
        fleet.tick(rate, (action,) if minute == 100 else ())
    assert "Scaled" in {seen.outcome for seen in fleet.follower.recorded}
    assert agree(fleet)


def test_altered_record_is_found_out() -> None:
    fleet = Fleet(Follower(THRESHOLD_15K, 1, Delays()))
    for _ in range(12):
        fleet.tick(60_000)
    seen = fleet.follower.recorded
    seen[3] = replace(seen[3], metrics={"invocations_per_instance": 1.0})
    assert not agree(fleet)


def test_capacity_that_somebody_else_sets_is_taken_over() -> None:
    follower = Follower(THRESHOLD_15K, 1, Delays())
    follower.look(Sighting({"invocations_per_instance": 0.0}, 1, 1, True))
    follower.look(Sighting({"invocations_per_instance": 0.0}, 1, 3, False))
    assert follower.recorded[-1].busy
    decision = follower.look(Sighting({"invocations_per_instance": 0.0}, 3, 3, True))
    assert decision.capacity == 3


def test_instances_that_never_come_leave_the_old_capacity() -> None:
    fleet = Fleet(Follower(THRESHOLD_15K, 1, Delays()), provisioning_ticks=3)
    fleet.comes = False
    for _ in range(9):
        fleet.tick(60_000)
    assert [seen.finished for seen in fleet.follower.recorded if seen.finished is not None] == [False]
    assert fleet.follower.recorded[8].capacity == 1
    assert fleet.follower.recorded[8].outcome == "Scaled"  # it tries again at once: no cooldown after a failure


def test_raised_minimum_moves_capacity_at_once() -> None:
    follower = Follower(THRESHOLD_15K, 1, Delays())
    follower.set_bounds(2, 10)
    assert follower.look(Sighting({"invocations_per_instance": 0.0}, 1, 1, True)).capacity == 2


def test_high_resolution_metric_is_looked_at_every_ten_seconds() -> None:
    policy = TargetTrackingPolicy(metric="concurrent_requests_per_model", target=5.0)
    follower = Follower(VariantScaling(max_capacity=4, policies=(policy,)), 1, Delays(publication_lag_seconds=0))
    assert follower.tick_seconds == 10
    for _ in range(4):
        follower.look(Sighting({"concurrent_requests_per_model": 9.0}, 1, 1, True))
    assert follower.readings[0].state is AlarmState.ALARM
    assert follower.look(Sighting({"concurrent_requests_per_model": 9.0}, 1, 1, True)).capacity == 2
