"""A live test as the report draws it: measured by the users and the scaler, beside what the simulator says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscaling.capacity import InstanceCapacity
from autoscaling.result import Simulation
from autoscaling.simulator import simulate
from cli.live_run import ARTICLE_USERS, HOLD_MINUTES, RAMP_MINUTES, LiveRun, Plan
from loadtest.report import Run

MINUTES = RAMP_MINUTES + HOLD_MINUTES
NOT_STATED = "not stated"
Floats = NDArray[np.float64]


def simulated(plan: Plan, usd_per_hour: float) -> Simulation:
    """Simulate a live test, with the delays it has and one server for each instance."""
    return simulate(
        plan.scaling,
        plan.workload,
        capacity=InstanceCapacity(max_rps=plan.instance_rps, workers=1),
        delays=plan.conditions.delays,
        initial_instances=1,
        usd_per_hour=usd_per_hour,
    )


def to_run(live: LiveRun, *, usd_per_hour: float, published: Mapping[str, float] | None = None) -> Run:
    """Return what the report draws.

    Parameters
    ----------
    live
        A finished test.
    usd_per_hour
        Price of an instance of the type that the article used.
    published
        What the article states of the test, at its size: ``average_rps``, ``instances_end``.
    """
    plan = live.plan
    simulation = simulated(plan, usd_per_hour)
    timeline = simulation.timeline()
    first = live.first_tick
    ticks = live.recording.ticks[first : first + MINUTES]
    observed = live.recording.observed[first + 1 : first + MINUTES + 1]  # a tick tells of the minute that ended with it
    in_service = [float(tick.in_service) for tick in ticks]
    measured = _by_minute(live) | {
        "in_service": in_service,
        "cpu_percent": [each["cpu_percent"] for each in observed],
        "invocations_per_instance": [each["InvocationsPerInstance"] for each in observed],
    }
    return Run(
        name=plan.name,
        summary=_sentence(plan),
        measured={name: _padded(column) for name, column in measured.items()},
        simulated={
            "users": timeline["users"],
            "requests_per_second": [requests / 60 for requests in timeline["requests"]],
            "p50_ms": timeline["p50_ms"],
            "p95_ms": timeline["p95_ms"],
            "in_service": timeline["in_service"],
            "cpu_percent": timeline["cpu_percent"],
            "invocations_per_instance": timeline["requests_per_instance"],
        },
        totals=_totals(live, measured, simulation, usd_per_hour, published or {}),
        activities=[_activity(each, live.began) for each in live.activities],
        statuses={str(code): count for code, count in live.burst.statuses.items()},
        notes=_notes(live),
    )


def _totals(
    live: LiveRun,
    measured: Mapping[str, list[Any]],
    simulation: Simulation,
    usd_per_hour: float,
    published: Mapping[str, float],
) -> dict[str, dict[str, float | str | None]]:
    burst, in_service = live.burst, measured["in_service"]
    timeline, summary = simulation.timeline(), simulation.summary()
    good = burst.latencies_ms[burst.codes == 200]
    stated_rps = published["average_rps"] * live.plan.factor if "average_rps" in published else NOT_STATED
    return {
        "requests / s, average": {
            "measured": burst.requests_per_second,
            "simulated": summary["average_rps"],
            "published": stated_rps,
        },
        "requests / s, best minute": {
            "measured": max(measured["requests_per_second"]),
            "simulated": max(timeline["requests"]) / 60,
        },
        "failed requests": {"measured": burst.failed, "simulated": summary["rejected_share"] * summary["requests"]},
        **{f"p{p} in all, ms": {"measured": _percentile(good, p)} for p in (50, 95, 99)},
        "p95 in the last minute, ms": {"measured": measured["p95_ms"][-1], "simulated": timeline["p95_ms"][-1]},
        "instances at the end": {
            "measured": in_service[-1],
            "simulated": summary["instances_end"],
            "published": published.get("instances_end", NOT_STATED),
        },
        "cost of the 20 minutes, USD": {
            "measured": sum(in_service) / 60 * usd_per_hour,
            "simulated": summary["cost_usd"],
        },
    }


def _by_minute(live: LiveRun) -> dict[str, list[Any]]:
    """Return what the users saw, by minute of the test."""
    plan, burst = live.plan, live.burst
    minute_of = np.floor(burst.finished * plan.time_scale / 60).astype(int)
    good = burst.codes == 200

    def each(count: Callable[[NDArray[np.bool_]], float | None]) -> list[float | None]:
        return [count(minute_of == minute) for minute in range(MINUTES)]

    borders = plan.workload.users
    return {
        "users": [float(users) for users in (borders[:-1] + borders[1:]) / 2],
        "requests_per_second": each(lambda now: float((now & good).sum()) * plan.time_scale / 60),
        "p50_ms": each(lambda now: _percentile(burst.latencies_ms[now & good], 50)),
        "p95_ms": each(lambda now: _percentile(burst.latencies_ms[now & good], 95)),
        "errors": each(lambda now: float((now & ~good).sum()) * plan.time_scale),
    }


def _percentile(values: Floats, percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values.size else None


def _padded(column: list[Any]) -> list[Any]:
    """Fill a run that the machine cut short; minutes that were not seen have no value."""
    return [*column, *[None] * (MINUTES - len(column))]


def _activity(activity: dict[str, Any], began: float) -> dict[str, Any]:
    return {
        "minute": (activity["StartTime"].timestamp() - began) / 60,
        "change": activity["Description"],
        "status": activity["StatusCode"],
        "cause": activity["Cause"],
    }


def _sentence(plan: Plan) -> str:
    target = plan.scaled_target
    scaling = "no scaling" if target is None else f"scale-out above {target:,.0f} invocations a minute and instance"
    return (
        f"{plan.users:,} users who each wait for their answer, {RAMP_MINUTES} minutes of ramp, {HOLD_MINUTES} of hold; "
        f"{scaling}."
    )


def _notes(live: LiveRun) -> list[str]:
    plan, disagreements = live.plan, live.recording.disagreements()
    count = len(live.recording.ticks)
    agreement = (
        f"The simulator's engine, given the recorded metrics, takes the same decision at each of {count} ticks."
        if not disagreements
        else f"The simulator's engine decides otherwise on the recorded metrics: {'; '.join(disagreements)}."
    )
    compressed = (
        f"The test ran in the sandbox: a minute took {60 / plan.time_scale:g} s, and each request counts "
        f"{plan.time_scale:g} times, so that rates are those of real time."
    )
    stand_in = (
        f"An instance is a model server on this machine that is held to {plan.instance_rps:,.0f} requests/s "
        f"({plan.factor:.0%} of the article's); users and threshold are scaled by the same factor. Its CPU is the "
        "share of that limit it used."
    )
    published = (
        f"Published rates are {plan.factor:.0%} of the article's, which drove {ARTICLE_USERS:,} users; it states no "
        "more than the figures in that column."
    )
    pause = (
        "Users pause 0.664 s between requests, which stands for the article's latency outside the instance; response "
        "times are without this pause."
    )
    minutes = plan.conditions.provisioning_seconds / 60
    return [
        agreement,
        compressed,
        stand_in,
        pause,
        published,
        f"A new instance takes at least {minutes:.2g} minutes, as the article's did.",
    ]
