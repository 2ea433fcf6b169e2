"""What SageMaker would publish for a workload on a number of instances: the metrics that policies follow.

Requests of a tick count whether or not they are answered. Assumed: CPU utilisation is proportional to the load; the
backlog of earlier ticks shows in neither metric (it lasts seconds).
"""

import numpy as np

from autoscaling.capacity import InstanceCapacity
from autoscaling.closed_loop import throughput, users_at
from autoscaling.latency import MAX_UTILISATION, Floats, erlang_c
from autoscaling.open_loop import queue_limit
from autoscaling.policies import Metric
from autoscaling.workload import OpenLoop, Workload


def arrivals_of(workload: OpenLoop, tick_seconds: float) -> Floats:
    """Spread each minute's requests evenly over its ticks (requests / tick)."""
    ticks_a_minute = round(60 / tick_seconds)
    if ticks_a_minute == 1:
        return workload.requests
    return np.repeat(workload.requests / ticks_a_minute, ticks_a_minute)


def metric_of(
    metric: Metric, workload: Workload, instances: int, tick_seconds: float, capacity: InstanceCapacity
) -> Floats:
    """Metric of every tick, were this number of instances in service.

    Parameters
    ----------
    metric
        Which one.
    workload, capacity
        What arrives, and what one instance does.
    instances
        In service, at least 1.
    tick_seconds
        Length of a tick.

    Returns
    -------
    ndarray of shape (n_ticks,)
        Requests / tick / instance, requests in an instance, or per cent (0 to 100 x workers).
    """
    if isinstance(workload, OpenLoop):
        arrivals = arrivals_of(workload, tick_seconds)
        if metric == "invocations_per_instance":
            return arrivals / instances
        served = np.minimum(arrivals / tick_seconds, instances * capacity.max_rps)
    else:
        served = throughput(workload, float(instances), tick_seconds, capacity)
        if metric == "invocations_per_instance":
            return served * tick_seconds / instances
    utilisation = served / (instances * capacity.max_rps)
    if metric == "cpu_utilization":
        return 100 * capacity.workers * utilisation
    if isinstance(workload, OpenLoop):
        return _requests_inside(utilisation, capacity)
    borders = users_at(workload, tick_seconds)
    outside = served * (workload.think_time_seconds + capacity.outside_seconds)
    return ((borders[:-1] + borders[1:]) / 2 - outside) / instances


def _requests_inside(utilisation: Floats, capacity: InstanceCapacity) -> Floats:
    """Mean number of requests in an instance (Little's law over M/M/c); a full queue under overload."""
    settled = np.minimum(utilisation, MAX_UTILISATION)
    waiting = erlang_c(capacity.workers, settled) * settled / (1 - settled)
    full = queue_limit(capacity)
    inside = np.minimum(capacity.workers * settled + waiting, full)
    return np.where(utilisation >= 1.0, full, inside)
