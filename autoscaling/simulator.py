"""Replay a workload against a variant's policies: decisions with their reasons, service level and cost.

Decisions are made once a minute, or every ten seconds where a policy follows a high-resolution alarm. First the scaler
runs from event to event (:mod:`autoscaling.scaler_run`); then the instances in service give the latencies of all ticks.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.closed_loop import closed_service_level
from autoscaling.delays import Delays
from autoscaling.latency import Floats
from autoscaling.metrics import arrivals_of
from autoscaling.open_loop import open_service_level
from autoscaling.policies import VariantScaling
from autoscaling.result import Simulation
from autoscaling.scaler_run import ScalerRun
from autoscaling.service_level import ServiceLevel, demand
from autoscaling.workload import OpenLoop, Workload

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
"""When a workload begins unless stated: a Monday, midnight UTC, so that weekly schedules mean something."""


def simulate(
    scaling: VariantScaling,
    workload: Workload,
    *,
    capacity: InstanceCapacity,
    slo: Slo | None = None,
    delays: Delays | None = None,
    initial_instances: int | None = None,
    usd_per_hour: float = 0.0,
    starts_at: datetime = MONDAY,
) -> Simulation:
    """Replay a workload.

    Parameters
    ----------
    scaling
        The variant's bounds and policies: the object that is deployed.
    workload
        Open or closed loop.
    capacity, slo, delays
        What an instance does, what is promised, how long things take.
    initial_instances
        In service at the beginning; by default what the first minute needs ("warm"), within the bounds.
    usd_per_hour
        Price of an instance in service.
    starts_at
        Time of the first minute, for schedules.

    Returns
    -------
    Simulation
        Deterministic: the same arguments give the same result.
    """
    slo, delays = slo or Slo(), delays or Delays()
    needed = demand(workload, capacity, slo)
    first = int(needed[0]) if initial_instances is None else initial_instances
    first = min(max(first, scaling.min_capacity), scaling.max_capacity)
    run = ScalerRun(scaling, workload, capacity=capacity, delays=delays, first=first, starts_at=starts_at)
    run.advance()
    in_service = _by_tick(run.in_service, run.ticks)
    return Simulation(
        tick_seconds=run.tick_seconds,
        workload=workload,
        capacity=capacity,
        slo=slo,
        usd_per_hour=usd_per_hour,
        demand=needed,
        in_service=in_service,
        desired=_by_tick(run.desired, run.ticks),
        level=_service_level(workload, in_service, run.tick_seconds, capacity, slo),
        decisions=tuple(run.decisions),
        changes=tuple(run.changes),
    )


def _service_level(
    workload: Workload, in_service: Floats, tick_seconds: float, capacity: InstanceCapacity, slo: Slo
) -> ServiceLevel:
    if isinstance(workload, OpenLoop):
        return open_service_level(arrivals_of(workload, tick_seconds), in_service, tick_seconds, capacity, slo)
    return closed_service_level(workload, in_service, tick_seconds, capacity, slo)


def _by_tick(changes: Sequence[tuple[int, int]], ticks: int) -> Floats:
    """Spread changes over the ticks; of several at one tick the last one holds."""
    begins, counts = zip(*changes, strict=True)
    return np.repeat(np.array(counts, dtype=float), np.diff([*begins, ticks]))
