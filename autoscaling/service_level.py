"""Service level of every tick: response times, and requests that are rejected, time out or are late."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.latency import MAX_UTILISATION, Floats, max_utilisation
from autoscaling.workload import ClosedLoop, OpenLoop, Workload

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ServiceLevel:
    """One value a tick.

    Parameters
    ----------
    requests : ndarray, requests / tick
        That reach the endpoint.
    utilisation : ndarray, 0 to 1
        Of the instances in service.
    p50_ms, p95_ms : ndarray, ms
        Response time of the requests that are answered.
    rejected, timed_out, late : ndarray, requests / tick
        Late ones are answered, but after the SLO.
    saturated : ndarray of bool
        Offered load above MAX_UTILISATION or a queue that does not settle: steady state does not hold there.
    """

    requests: Floats
    utilisation: Floats
    p50_ms: Floats
    p95_ms: Floats
    rejected: Floats
    timed_out: Floats
    late: Floats
    saturated: NDArray[np.bool_]

    @property
    def bad(self) -> Floats:
        """Requests / tick that are rejected, time out or are late."""
        return self.rejected + self.timed_out + self.late


def max_rate(capacity: InstanceCapacity, slo: Slo, instances: int) -> float:
    """Highest arrival rate at which instances meet the SLO in steady state.

    Parameters
    ----------
    capacity, slo
        Of one instance, and of a minute.
    instances
        In service.

    Returns
    -------
    requests / s
        Zero if even an idle instance is too slow.
    """
    time = slack_in_services(capacity, slo)
    if time <= 0:
        return 0.0
    highest = max_utilisation(station_servers(capacity, instances), time, slo.max_bad_share)
    return instances * capacity.max_rps * highest


def demand(workload: Workload, capacity: InstanceCapacity, slo: Slo, most: int = 1000) -> Counts:
    """Fewest instances that meet the SLO in each minute.

    Parameters
    ----------
    workload, capacity, slo
        What arrives, what an instance does, what is promised.
    most
        Upper limit of the answer.

    Returns
    -------
    ndarray of shape (n_minutes,)
        At least 1.
    """
    if isinstance(workload, OpenLoop):
        rates = workload.requests / 60
    else:
        rates = workload.users[1:] / cycle_seconds(workload, capacity)  # what users ask for who never wait
    enough = int(min(most, np.ceil(rates.max() / capacity.max_rps / MAX_UTILISATION) + 1))
    limits = np.array([max_rate(capacity, slo, count) for count in range(1, enough + 1)])
    return np.minimum(np.searchsorted(limits, rates) + 1, most)


def station_servers(capacity: InstanceCapacity, instances: int) -> int:
    """Servers behind one queue: one instance's with RANDOM routing, else (approximately) all instances'."""
    return capacity.workers * (instances if capacity.routing == "LEAST_OUTSTANDING_REQUESTS" else 1)


def slack_in_services(capacity: InstanceCapacity, slo: Slo) -> float:
    """Longest time inside an instance that still meets the SLO, in mean service times; 0 where every one is late."""
    return max(slo.p95_ms / 1000 - capacity.outside_seconds, 0.0) / capacity.service_seconds


def cycle_seconds(workload: ClosedLoop, capacity: InstanceCapacity) -> float:
    """Time between two requests of a user who never waits in a queue."""
    return workload.think_time_seconds + capacity.outside_seconds + capacity.service_seconds


def by_station(
    table: Callable[[int, Floats], Floats], utilisation: Floats, in_service: Floats, capacity: InstanceCapacity
) -> Floats:
    """Value of a function of servers and utilisation at every tick's station.

    Parameters
    ----------
    table
        E.g. a quantile in M/M/c.
    utilisation, in_service : ndarray of shape (n_ticks,)
        Of the instances, and their number.
    capacity
        Of one instance.

    Returns
    -------
    ndarray of shape (n_ticks,)
        The function's values.
    """
    if capacity.routing == "RANDOM":
        return table(capacity.workers, utilisation)
    values = np.empty_like(utilisation)
    for count in np.unique(in_service).tolist():
        chosen = in_service == count
        values[chosen] = table(station_servers(capacity, int(count)), utilisation[chosen])
    return values
