"""Plans are never worse than AWS's rule, say where scaling cannot help, and hold on days they have not seen."""

import math
import tomllib
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from autoscaling.candidates import aws_rule, drawn_recipe, policy_of, steadied
from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.delays import DELAY_RANGE
from autoscaling.judging import InstanceOption, Setting, appraise, judge
from autoscaling.lane_policies import problem_with
from autoscaling.planner import Plan, PlanRequest, evaluate, plan
from autoscaling.policies import StepScalingPolicy, VariantScaling
from autoscaling.policy_toml import to_toml
from autoscaling.proposals import relief_minutes
from autoscaling.rehearsal import rehearsals
from autoscaling.schedule_floor import floor_actions, floor_of, usual_load
from autoscaling.simulator import MONDAY
from autoscaling.workload import OpenLoop

OPTION = InstanceOption("ml.m4.xlarge", InstanceCapacity(max_rps=1200), 0.28)
SETTING = Setting(Slo(), DELAY_RANGE, MONDAY)
MINUTES = 600
PEAK = 0.97 * 10 * OPTION.per_minute


def day(seed: int, *, bursts: int, minutes: int = MINUTES) -> OpenLoop:
    """Make a (short) day with its own noise and burst times; the same seed gives the same day."""
    random = np.random.default_rng(seed)
    load = 2 + np.cos(2 * np.pi * (np.arange(minutes) - minutes / 2 - 8 * random.standard_normal()) / minutes)
    for _ in range(bursts):
        begin = int(random.integers(minutes))
        load[begin : begin + int(random.integers(5, 16))] *= random.uniform(2, 4)
    return OpenLoop(load * np.exp(0.03 * random.standard_normal(minutes))).scaled_to(PEAK)


def request(workload: OpenLoop, **changes: object) -> PlanRequest:
    values = {"workload": workload, "options": (OPTION,), "maximum": 10, "slo": Slo(), "budget": 300, "rounds": 1}
    return PlanRequest(**{**values, **changes})  # type: ignore[arg-type]


@cache
def bursty_plan() -> tuple[PlanRequest, Plan]:
    asked = request(day(1, bursts=7))
    return asked, plan(asked)


def test_plan_is_no_dearer_and_no_worse_than_awss_rule_and_repeats() -> None:
    asked, made = bursty_plan()
    assert made.chosen.score.cost_usd < made.aws_rule.score.cost_usd
    assert made.chosen.score.slo_violation_minutes <= made.aws_rule.score.slo_violation_minutes
    assert made.chosen.score.worst_violation_minutes <= made.aws_rule.score.worst_violation_minutes
    assert plan(asked).chosen == made.chosen


@pytest.mark.parametrize(
    "shape",
    {
        "flat": np.ones(240),
        "one minute": np.ones(1),
        "three minutes": np.array([1.0, 100.0, 0.0]),
        "nothing at all": np.zeros(30),
        "saw": np.arange(240) % 60,
        "falling saw": 1 - np.arange(240) % 90 / 90,
        "on and off": np.where(np.arange(240) % 40 < 12, 1.0, 0.0),
        "one peak": np.eye(1, 240, 100)[0] + 0.02,
    }.items(),
    ids=lambda item: item[0],
)
def test_plan_is_never_dearer_nor_worse_whatever_comes(shape: tuple[str, NDArray[np.float64]]) -> None:
    made = plan(request(OpenLoop(shape[1].astype(float)).scaled_to(PEAK), budget=150))
    chosen, rule = made.chosen.score, made.aws_rule.score
    assert chosen.cost_usd <= rule.cost_usd + 1e-9
    assert chosen.slo_violation_minutes <= rule.slo_violation_minutes
    assert chosen.worst_violation_minutes <= rule.worst_violation_minutes
    assert all(math.isfinite(value) for value in chosen)


def test_plan_holds_on_another_day_of_the_same_kind() -> None:
    asked, made = bursty_plan()
    other = evaluate(made, day(2, bursts=7), asked)
    assert other["chosen"].score.cost_usd < other["aws_rule"].score.cost_usd
    more = other["chosen"].score.slo_violation_minutes - other["aws_rule"].score.slo_violation_minutes
    assert more <= 0.01 * MINUTES


def test_chosen_rule_and_no_scaling_share_their_maximum_and_start_warm() -> None:
    _, made = bursty_plan()
    assert {each.policy.max_capacity for each in (made.chosen, made.aws_rule, made.no_scaling)} == {10}
    assert made.no_scaling.policy.policies == ()
    assert made.aws_rule.policy == aws_rule(OPTION.per_minute, 10)
    hours = made.no_scaling.score.cost_usd / OPTION.usd_per_hour
    assert hours * 60 / MINUTES == pytest.approx(round(hours * 60 / MINUTES))


def test_plan_says_plainly_when_peaks_are_too_short_and_proposes_what_helps() -> None:
    _, made = bursty_plan()
    assert not made.meets_slo
    assert made.peaks.too_short_for_scaling
    assert any("Autoscaling cannot help here" in reason for reason in made.reasons)
    kinds = {proposal.kind: proposal for proposal in made.proposals}
    assert kinds["capacity"].score.worst_error_share <= 0.01
    assert kinds["schedule"].score.slo_violation_minutes < made.chosen.score.slo_violation_minutes
    assert kinds["schedule"].policy.scheduled_actions


def test_plan_keeps_the_error_limit_on_a_smooth_day_and_proposes_nothing() -> None:
    made = plan(request(day(3, bursts=0)))
    assert made.meets_slo
    assert made.proposals == ()
    assert made.chosen.score.cost_usd < 0.9 * made.aws_rule.score.cost_usd


def test_plan_is_a_single_instance_when_one_serves_everything() -> None:
    made = plan(request(OpenLoop(np.full(MINUTES, 20_000.0))))
    assert made.chosen.score.cost_usd == pytest.approx(MINUTES / 60 * 0.28)
    assert made.chosen.score.error_share < 1e-6


def test_another_instance_type_is_chosen_only_when_its_measured_capacity_is_cheaper() -> None:
    workload = day(3, bursts=0)
    cheap = InstanceOption("ml.m5.large", InstanceCapacity(max_rps=600), 0.05)
    dear = InstanceOption("ml.m5.large", InstanceCapacity(max_rps=600), 0.30)
    assert plan(request(workload, options=(OPTION, cheap))).chosen.instance_type == "ml.m5.large"
    chosen = plan(request(workload, options=(OPTION, dear))).chosen
    assert chosen.instance_type == "ml.m4.xlarge"


def test_front_is_ascending_in_cost_and_descending_in_violations() -> None:
    _, made = bursty_plan()
    scores = [candidate.score for candidate in made.front]
    assert [score.cost_usd for score in scores] == sorted(score.cost_usd for score in scores)
    minutes = [score.slo_violation_minutes for score in scores]
    assert minutes == sorted(minutes, reverse=True)
    assert len(set(minutes)) == len(minutes)


def test_lane_scores_equal_full_simulations() -> None:
    workload = day(5, bursts=5, minutes=1440)
    random = np.random.default_rng(5)
    floor = floor_of(workload, OPTION.per_minute, MONDAY)
    policies = [policy_of(drawn_recipe(random, 10), OPTION.per_minute, 10, floor) for _ in range(6)]
    for policy, score in zip(policies, judge(policies, workload, OPTION, SETTING), strict=True):
        assert appraise(policy, workload, OPTION, SETTING).score == pytest.approx(score)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10_000), maximum=st.integers(1, 30))
def test_recipes_make_policies_that_run_in_lanes_and_do_not_scale_in_into_overload(seed: int, maximum: int) -> None:
    recipe = drawn_recipe(np.random.default_rng(seed), maximum)
    assert steadied(recipe, maximum) == recipe
    policy = policy_of(recipe, OPTION.per_minute, maximum)
    assert problem_with(policy, DELAY_RANGE[0]) is None
    for each in policy.scaling_policies:
        if isinstance(each, StepScalingPolicy) and each.name == "scale-in-fast":
            for count in range(policy.min_capacity + 1, maximum + 1):
                removed = max(count * -each.steps[0].adjustment // 100, 1)
                left = max(count - removed, policy.min_capacity)
                assert each.threshold * count / left <= 0.96 * OPTION.per_minute


def test_policy_survives_toml() -> None:
    random = np.random.default_rng(0)
    workload = day(4, bursts=2, minutes=1440)
    floor = floor_of(workload, OPTION.per_minute, MONDAY)
    for _ in range(40):
        policy = policy_of(drawn_recipe(random, 10), OPTION.per_minute, 10, floor)
        read = tomllib.loads(to_toml(policy, "scaling"))["scaling"]
        assert VariantScaling.model_validate(read) == policy


def test_rehearsals_keep_the_usual_load_and_the_bursts() -> None:
    workload = day(1, bursts=7)
    days = rehearsals(workload, 3, seed=0)
    assert [each.minutes for each in days] == [MINUTES] * 3
    for each in days:
        assert usual_load(each).mean() == pytest.approx(usual_load(workload).mean(), rel=0.1)
        assert np.quantile(each.requests / usual_load(each), 0.98) == pytest.approx(
            np.quantile(workload.requests / usual_load(workload), 0.98), rel=0.35
        )
    assert not np.array_equal(days[0].requests, days[1].requests)


def test_usual_load_ignores_bursts_shorter_than_its_half_window() -> None:
    load = np.full(1440, 100.0)
    load[700:760] = 900.0
    assert usual_load(OpenLoop(load)).tolist() == [100.0] * 1440


def test_floor_follows_the_day_with_a_lead_before_it_rises() -> None:
    load = np.where(np.arange(1440) < 720, 1.0, 3.0) * OPTION.per_minute
    floor = floor_of(OpenLoop(load), OPTION.per_minute, MONDAY)
    assert floor is not None
    actions = floor_actions(floor, 240, 1.0, 1, 10)
    assert [(action.schedule, action.min_capacity) for action in actions] == [  # type: ignore[union-attr]
        ("cron(0 0 * * ? *)", 1),
        ("cron(45 11 * * ? *)", 3),
    ]
    assert floor_of(OpenLoop(load[:600]), OPTION.per_minute, MONDAY) is None


def test_relief_takes_8_to_13_minutes_over_the_range_of_delays() -> None:
    assert relief_minutes(DELAY_RANGE) == (8, 13)
