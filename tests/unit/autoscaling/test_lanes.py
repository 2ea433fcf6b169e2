"""Lanes give exactly what the simulator gives, one policy at a time."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.delays import DELAY_RANGE, Delays
from autoscaling.lanes import run_lanes
from autoscaling.policies import VariantScaling
from autoscaling.simulator import simulate
from autoscaling.workload import OpenLoop

PER_INSTANCE = 72_000.0
INSTANT = Delays(publication_lag_seconds=0, action_delay_seconds=0, provisioning_seconds=30)
LOADS = st.sampled_from([0.0, 0.2, 0.45, 0.5, 0.62, 0.8, 0.97, 1.0, 1.2, 2.4, 3.7])


@st.composite
def scalings(draw: st.DrawFn) -> VariantScaling:
    low = draw(st.integers(1, 3))
    cooldowns = st.sampled_from([0, 60, 90, 300, 600])
    policies: list[dict[str, Any]] = []
    if draw(st.booleans()):
        policies.append(
            {
                "kind": "target_tracking",
                "target": PER_INSTANCE * draw(st.sampled_from([0.3, 0.5, 0.7, 0.9])),
                "scale_out_cooldown_seconds": draw(cooldowns),
                "scale_in_cooldown_seconds": draw(cooldowns),
                "disable_scale_in": draw(st.booleans()),
            }
        )
    if draw(st.booleans()):
        length = draw(st.integers(1, 3))
        rows = [{"lower_bound": 0, "adjustment": draw(st.sampled_from([1, 3, 40]))}]
        if length == 1:
            rows = [rows[0] | {"upper_bound": 9000}, {"lower_bound": 9000, "adjustment": 80}]
        policies.append(
            {
                "kind": "step",
                "name": "out",
                "threshold": PER_INSTANCE * draw(st.sampled_from([0.5, 0.8])),
                "evaluation_periods": length,
                "steps": rows,
                "adjustment_type": draw(st.sampled_from(["change_in_capacity", "percent_change_in_capacity"])),
                "cooldown_seconds": draw(cooldowns),
            }
        )
    if draw(st.booleans()):
        policies.append(
            {
                "kind": "step",
                "name": "in",
                "threshold": PER_INSTANCE * draw(st.sampled_from([0.2, 0.5])),
                "comparison": "less_than_or_equal",
                "evaluation_periods": draw(st.integers(1, 8)),
                "steps": [{"upper_bound": 0, "adjustment": draw(st.sampled_from([-1, -30]))}],
                "adjustment_type": draw(st.sampled_from(["change_in_capacity", "percent_change_in_capacity"])),
                "cooldown_seconds": draw(cooldowns),
            }
        )
    if draw(st.booleans()):
        policies.append(
            {"kind": "scheduled", "schedule": "cron(0/40 * * * ? *)", "min_capacity": draw(st.integers(1, 8))}
        )
    if draw(st.booleans()):
        policies.append(
            {"kind": "scheduled", "schedule": "cron(20 * * * ? *)", "max_capacity": draw(st.integers(1, 9))}
        )
    return VariantScaling.model_validate({"min_capacity": low, "max_capacity": 8, "policies": policies})


@settings(max_examples=75)
@given(
    candidates=st.lists(scalings(), min_size=1, max_size=5),
    loads=st.lists(st.tuples(LOADS, st.integers(1, 25)), min_size=1, max_size=14),
    delays=st.lists(st.sampled_from([*DELAY_RANGE, INSTANT]), min_size=1, max_size=3),
    routing=st.sampled_from(["RANDOM", "LEAST_OUTSTANDING_REQUESTS"]),
)
def test_lanes_equal_the_simulator(
    candidates: list[VariantScaling], loads: list[tuple[float, int]], delays: list[Delays], routing: Any
) -> None:
    capacity, slo = InstanceCapacity(max_rps=1200, routing=routing), Slo()
    workload = OpenLoop(np.repeat([load * PER_INSTANCE for load, _ in loads], [minutes for _, minutes in loads]))
    lanes = run_lanes(candidates, workload, capacity=capacity, slo=slo, delays=delays)
    for row, setting in enumerate(delays):
        for lane, scaling in enumerate(candidates):
            alone = simulate(scaling, workload, capacity=capacity, slo=slo, delays=setting)
            assert lanes.instance_hours[row, lane] == pytest.approx(alone.in_service.sum() / 60)
            assert lanes.violation_minutes[row, lane] == alone.violation_minutes
            assert lanes.error_share[row, lane] == pytest.approx(alone.error_share, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("policy", "delays", "reason"),
    [
        ({"kind": "target_tracking", "metric": "cpu_utilization", "target": 50}, Delays(), "a metric other than"),
        (
            {
                "kind": "step",
                "threshold": 1,
                "evaluation_periods": 2,
                "datapoints_to_alarm": 1,
                "steps": [{"lower_bound": 0, "adjustment": 1}],
            },
            Delays(),
            "not N of N",
        ),
        ({"kind": "target_tracking", "target": 5}, Delays(provisioning_seconds=None), "provisioning time is not fixed"),
    ],
)
def test_lanes_refuse_what_they_do_not_cover(policy: dict[str, Any], delays: Delays, reason: str) -> None:
    scaling = VariantScaling.model_validate({"max_capacity": 2, "policies": [policy]})
    workload = OpenLoop(np.ones(3))
    with pytest.raises(ValueError, match=reason):
        run_lanes([scaling], workload, capacity=InstanceCapacity(), slo=Slo(), delays=[delays])
