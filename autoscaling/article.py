"""The article's three load tests, published against simulated.

1000 users arrive over ten minutes and stay for ten more, each waiting for its answer, against an endpoint on
ml.m4.xlarge: without scaling, and with target tracking at 30,000 and at 15,000 invocations a minute and instance.

Two numbers of the latency model are fitted to the test without scaling. The choices of the scaling model are assumed:
that they reproduce the counts of the other two tests does not prove them (docs/model.md).
"""

from itertools import product
from typing import Any, NamedTuple

from autoscaling.capacity import InstanceCapacity
from autoscaling.delays import Delays
from autoscaling.policies import TargetTrackingPolicy, VariantScaling
from autoscaling.result import Simulation
from autoscaling.simulator import simulate
from autoscaling.workload import article

CAPACITY = InstanceCapacity(max_rps=1200, unloaded_seconds=0.664)
"""Fitted: 1200 requests / s an instance, 0.664 s outside its queue."""

DELAYS = tuple(
    Delays(publication_lag_seconds=60 * lag, provisioning_seconds=60 * provisioning)
    for lag, provisioning in product((0, 1, 2), (5, 6, 7))
)
"""Lag 0 to 2 minutes, provisioning 5 to 7 minutes as the article reports it."""

CHOICES = (
    "target tracking computes from the latest datapoint",
    "scaling is blocked while the endpoint is updating",
    "the cooldown begins when the instances are in service, and counts what was added",
    "the alarm's action follows one evaluation (a minute) after the third breaching datapoint",
)


class Test(NamedTuple):
    """One of the article's tests."""

    name: str
    scaling: VariantScaling
    published: dict[str, float]


def _tracking(target: float) -> VariantScaling:
    return VariantScaling(min_capacity=1, max_capacity=10, policies=(TargetTrackingPolicy(target=target),))


TESTS = (
    Test("no_scaling", VariantScaling(min_capacity=1, max_capacity=1), {"average_rps": 961.3, "instances_end": 1}),
    Test("threshold_30k", _tracking(30_000), {"instances_end": 2}),
    Test("threshold_15k", _tracking(15_000), {"instances_end": 4}),
)


def run(test: Test, delays: Delays) -> Simulation:
    """Simulate one test at one delay setting.

    Parameters
    ----------
    test, delays
        Which one, and how long things take.

    Returns
    -------
    Simulation
        Of 20 minutes, from one instance.
    """
    return simulate(test.scaling, article(), capacity=CAPACITY, delays=delays, initial_instances=1)


def compare() -> dict[str, Any]:
    """Simulate all tests at all delay settings and put the published numbers beside them.

    Returns
    -------
    dict
        `runs`, with the instances in service at the end for every setting, and what the choices rest on.
    """
    without_delay = [setting.model_copy(update={"action_delay_seconds": 0.0}) for setting in DELAYS]
    return {
        "capacity": {"max_rps": CAPACITY.max_rps, "outside_seconds": CAPACITY.unloaded_seconds},
        "settings": [
            {"publication_lag_minutes": lag, "provisioning_minutes": provisioning}
            for lag, provisioning in product((0, 1, 2), (5, 6, 7))
        ],
        "choices": list(CHOICES),
        "runs": [_compared(test, DELAYS) for test in TESTS],
        "without_the_fourth_choice": [_compared(test, without_delay) for test in TESTS[1:]],
    }


def _compared(test: Test, settings: tuple[Delays, ...] | list[Delays]) -> dict[str, Any]:
    summaries = [run(test, delays).summary() for delays in settings]
    ends = [summary["instances_end"] for summary in summaries]
    rates = [summary["average_rps"] for summary in summaries]
    return {
        "name": test.name,
        "average_rps": sum(rates) / len(rates),
        "average_rps_range": [min(rates), max(rates)],
        "instances_end": {"min": min(ends), "max": max(ends), "values": ends},
        "published": test.published,
    }
