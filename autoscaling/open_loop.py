"""Service level of an open loop: a fluid backlog over the steady state of M/M/c.

The backlog carries overload from tick to tick; on top of it every tick has the steady state of its rate. The larger of
the two counts. Assumed: new instances share the backlog at once (in SageMaker it stays where it is, so a scale-out
helps a little later than shown); requests that time out cost no service.
"""

import numpy as np

from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.latency import MAX_UTILISATION, Floats, quantile_at, service_quantile, tail_at
from autoscaling.service_level import ServiceLevel, by_station, slack_in_services


def open_service_level(
    arrivals: Floats, in_service: Floats, tick_seconds: float, capacity: InstanceCapacity, slo: Slo
) -> ServiceLevel:
    """Service level of every tick.

    Parameters
    ----------
    arrivals : ndarray of shape (n_ticks,), requests / tick
        That reach the endpoint.
    in_service : ndarray of shape (n_ticks,)
        Instances, at least 1.
    tick_seconds
        Length of a tick.
    capacity, slo
        Of one instance, and of a minute.

    Returns
    -------
    ServiceLevel
        Requests are conserved: what arrives is served, lost or still waiting.
    """
    rate = in_service * capacity.max_rps  # requests / s
    utilisation = arrivals / (rate * tick_seconds)
    excess = arrivals - rate * tick_seconds
    limit = in_service * queue_limit(capacity)
    before, after, lost = backlog(excess, limit)
    slack = slack_in_services(capacity, slo)
    late = by_station(lambda servers, load: tail_at(servers, load, slack), utilisation, in_service, capacity)
    queued = ((before > 0) | (after > 0)).nonzero()[0]  # ticks with a backlog: the others have the steady state alone
    begun, growth, longest, speed = before[queued], excess[queued], limit[queued], rate[queued]
    allowed = speed * max(slack - 1, 0.0) * capacity.service_seconds  # waiting requests whose last one is not late
    late[queued] = np.maximum(late[queued], share_beyond(allowed, begun, growth, longest))

    def quantile_ms(share: float) -> Floats:
        table = by_station(lambda servers, load: quantile_at(servers, load, share), utilisation, in_service, capacity)
        served_by = service_quantile(share) * capacity.service_seconds
        inside = np.minimum(table * capacity.service_seconds, limit / rate + served_by)
        waiting = np.clip(begun + growth * np.where(growth > 0, share, 1 - share), 0.0, longest)
        inside[queued] = np.maximum(inside[queued], waiting / speed + served_by)
        return 1000 * (capacity.outside_seconds + inside)

    times_out = capacity.timeout_seconds * capacity.max_rps < capacity.queue_limit
    return ServiceLevel(
        requests=arrivals,
        utilisation=np.minimum((arrivals + before) / (rate * tick_seconds), 1.0),
        p50_ms=quantile_ms(0.5),
        p95_ms=quantile_ms(0.95),
        rejected=np.zeros_like(lost) if times_out else lost,
        timed_out=lost if times_out else np.zeros_like(lost),
        late=np.maximum(late * arrivals - lost, 0.0),  # whoever is lost came while the queue was longest: counted once
        saturated=(utilisation > MAX_UTILISATION) | (before > 0) | (after > 0),
    )


def queue_limit(capacity: InstanceCapacity) -> float:
    """Longest queue of one instance: beyond it a request is rejected or times out."""
    return min(float(capacity.queue_limit), capacity.timeout_seconds * capacity.max_rps)


def backlog(excess: Floats, limit: Floats) -> tuple[Floats, Floats, Floats]:
    """Follow the waiting requests through the ticks.

    Parameters
    ----------
    excess : ndarray of shape (n_ticks,), requests / tick
        Arrivals less what can be served.
    limit : ndarray of shape (n_ticks,), requests
        Longest queue.

    Returns
    -------
    tuple of three ndarrays of shape (n_ticks,), requests
        Waiting before and after each tick, and lost in it because the queue was full.
    """
    before, after, lost = np.zeros_like(excess), np.zeros_like(excess), np.zeros_like(excess)
    excesses, limits, tick = excess.data, limit.data, 0
    for start in np.flatnonzero(excess > 0).tolist():
        if start < tick:  # reached from an earlier tick
            continue
        tick, waiting = start, 0.0
        while tick < excess.size and (waiting > 0 or excesses[tick] > 0):
            before[tick] = waiting
            waiting = max(waiting + excesses[tick], 0.0)
            lost[tick] = max(waiting - limits[tick], 0.0)
            after[tick] = waiting = min(waiting, limits[tick])
            tick += 1
    return before, after, lost


def share_beyond(allowed: Floats, before: Floats, excess: Floats, limit: Floats) -> Floats:
    """Compute the share of each tick in which more wait than allowed; the backlog changes linearly within a tick.

    Parameters
    ----------
    allowed, before, limit : ndarray, requests
        Longest queue that meets the SLO, queue at the tick's beginning, longest possible queue.
    excess : ndarray, requests / tick
        Arrivals less what can be served.

    Returns
    -------
    ndarray, 0 to 1
        Requests that come in this share are late or lost.
    """
    growing = 1 - (allowed - before) / np.where(excess > 0, excess, 1.0)
    draining = (before - allowed) / np.where(excess < 0, -excess, 1.0)
    share = np.where(excess > 0, growing, np.where(excess < 0, draining, before > allowed))
    # Where the queue is full before anyone in it is late, whoever comes while it is full is lost.
    return np.clip(np.where(allowed < limit, share, (before + excess - limit) / np.maximum(excess, 1e-9)), 0.0, 1.0)
