"""Service level of a closed loop: asymptotic bounds for throughput, the interactive response-time law for the mean.

Around the knee N = C Z the bounds are optimistic (by up to 3 % in throughput with the article's numbers). Users whom a
full queue turns away ask again after a cycle. Queues are taken as balanced over the instances.
"""

import math

import numpy as np

from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.latency import Floats, closed_wait, quantile_at, service_quantile, tail_at
from autoscaling.service_level import ServiceLevel, by_station, cycle_seconds, slack_in_services
from autoscaling.workload import ClosedLoop, mean_throughput


def users_at(workload: ClosedLoop, tick_seconds: float) -> Floats:
    """Users at the ticks' borders.

    Parameters
    ----------
    workload
        Users at the minutes' borders.
    tick_seconds
        A divisor of 60.

    Returns
    -------
    ndarray of shape (n_ticks + 1,)
        Interpolated linearly.
    """
    ticks = round(workload.minutes * 60 / tick_seconds)
    return np.interp(np.arange(ticks + 1) * tick_seconds / 60, np.arange(workload.users.size), workload.users)


def throughput(
    workload: ClosedLoop, in_service: Floats | float, tick_seconds: float, capacity: InstanceCapacity
) -> Floats:
    """Mean throughput of every tick.

    Parameters
    ----------
    workload, capacity
        Users, and what one instance does.
    in_service : ndarray of shape (n_ticks,) or float
        Instances, at least 1.
    tick_seconds
        Length of a tick.

    Returns
    -------
    ndarray of shape (n_ticks,), requests / s
        At most what the instances can serve.
    """
    borders = users_at(workload, tick_seconds)
    return mean_throughput(borders, in_service * capacity.max_rps, cycle_seconds(workload, capacity))


def closed_service_level(
    workload: ClosedLoop, in_service: Floats, tick_seconds: float, capacity: InstanceCapacity, slo: Slo
) -> ServiceLevel:
    """Service level of every tick.

    Parameters
    ----------
    workload
        Users.
    in_service : ndarray of shape (n_ticks,)
        Instances, at least 1.
    tick_seconds
        Length of a tick.
    capacity, slo
        Of one instance, and of a minute.

    Returns
    -------
    ServiceLevel
        Its requests are those that reach the endpoint, turned away or not.
    """
    borders, cycle = users_at(workload, tick_seconds), cycle_seconds(workload, capacity)
    users, rate = (borders[:-1] + borders[1:]) / 2, in_service * capacity.max_rps
    served = throughput(workload, in_service, tick_seconds, capacity)
    limit = in_service * float(capacity.queue_limit)
    turned_away = np.maximum(users - served * cycle - limit, 0.0) / cycle
    utilisation = served / rate
    slack = slack_in_services(capacity, slo)

    def quantile_ms(share: float) -> Floats:
        table = by_station(lambda servers, load: quantile_at(servers, load, share), utilisation, in_service, capacity)
        served_by = service_quantile(share) * capacity.service_seconds
        # An open loop's steady state explodes near saturation, a closed loop's does not: the knee's wait bounds it.
        at_knee = closed_wait(np.maximum(users, rate * cycle), rate, cycle, max(share, 0.5)) + served_by
        settled = np.minimum(table * capacity.service_seconds, at_knee)
        queued = np.minimum(closed_wait(users, rate, cycle, share), limit / rate)
        inside = np.maximum(settled, np.where(queued > 0, queued + served_by, 0.0))
        return 1000 * (capacity.outside_seconds + inside)

    steady = by_station(lambda servers, load: tail_at(servers, load, slack), utilisation, in_service, capacity)
    queue = np.maximum(users - rate * cycle, 0.0)
    deviations = (rate * (slack - 1) * capacity.service_seconds - queue) / np.sqrt(np.maximum(users, 1.0))
    queued_late = np.array([math.erfc(value / math.sqrt(2)) / 2 for value in deviations.tolist()])
    late = np.where(queue > 0, queued_late, np.minimum(steady, queued_late))
    return ServiceLevel(
        requests=(served + turned_away) * tick_seconds,
        utilisation=utilisation,
        p50_ms=quantile_ms(0.5),
        p95_ms=quantile_ms(0.95),
        rejected=turned_away * tick_seconds,
        timed_out=np.zeros_like(served),
        late=late * served * tick_seconds,
        saturated=queue > 0,
    )
