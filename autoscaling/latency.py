"""Response times of instances in steady state: M/M/c, the machine repairman and the asymptotic bounds of a closed loop.

Assumed: Poisson arrivals, exponential service times, first come first served, rates constant for long enough to settle.
Near saturation the last one fails first: within one minute a queue cannot grow as long as the steady state says, so
waits there are overstated; callers bound them by the queue limit and report such minutes as saturated.

References
----------
Kleinrock, Queueing Systems I (M/M/c, chapter 3); Lazowska et al., Quantitative System Performance (interactive
response-time law and asymptotic bounds, chapters 3 and 5; machine repairman, chapter 6).
"""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_UTILISATION = 0.9995
"""Steady state is evaluated up to here: beyond it a minute is far too short to settle."""

_GRID = 1 - np.geomspace(1.0, 1 - MAX_UTILISATION, 1024)  # utilisations, dense near saturation


def erlang_c(servers: int, utilisation: Floats) -> Floats:
    """Probability that a request has to wait in M/M/c.

    Parameters
    ----------
    servers
        c, at least 1.
    utilisation : ndarray, 0 <= utilisation < 1
        Arrival rate over c times the service rate.

    Returns
    -------
    ndarray
        Erlang's C formula, from the recursion of Erlang's B, which is stable for any c.
    """
    load = servers * utilisation
    blocking = np.ones_like(utilisation)
    for server in range(1, servers + 1):
        blocking = load * blocking / (server + load * blocking)
    waits: Floats = blocking / (1 - utilisation * (1 - blocking))
    return waits


def response_tail(servers: int, utilisation: Floats, time: Floats | float) -> Floats:
    """Probability that a response takes longer than a time in M/M/c.

    Parameters
    ----------
    servers
        c, at least 1.
    utilisation : ndarray, 0 <= utilisation < 1
        Arrival rate over c times the service rate.
    time : ndarray or float, in mean service times
        Wait and service together.

    Returns
    -------
    ndarray
        P(T > time).
    """
    waits = erlang_c(servers, utilisation)
    drain = servers * (1 - utilisation)  # rate at which the queue empties, per mean service time
    gap = np.where(np.abs(1 - drain) < 1e-6, 1e-6, 1 - drain)  # drain = 1 is Erlang-2; its neighbour is close enough
    queued = (np.exp(-(1 - gap) * time) - (1 - gap) * np.exp(-time)) / gap
    tail: Floats = (1 - waits) * np.exp(-time) + waits * queued
    return tail


def response_quantile(servers: int, utilisation: Floats, share: float) -> Floats:
    """Response time that a share of the requests does not exceed in M/M/c.

    Parameters
    ----------
    servers
        c, at least 1.
    utilisation : ndarray, 0 <= utilisation < 1
        Arrival rate over c times the service rate.
    share
        E.g. 0.95.

    Returns
    -------
    ndarray, in mean service times
        By bisection, to 1e-9 of the range.
    """
    low = np.zeros_like(utilisation)
    high = 2 * service_quantile(share) * (1 + 1 / (servers * (1 - utilisation)))  # T <= Exp(1) + Exp(drain) in law
    for _ in range(50):
        middle = (low + high) / 2
        beyond = response_tail(servers, utilisation, middle) > 1 - share
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return high


@lru_cache(maxsize=512)
def _quantile_table(servers: int, share: float) -> Floats:
    return response_quantile(servers, _GRID, share)


@lru_cache(maxsize=512)
def _tail_table(servers: int, time: float) -> Floats:
    return response_tail(servers, _GRID, time)


def quantile_at(servers: int, utilisation: Floats, share: float) -> Floats:
    """Look up :func:`response_quantile`; utilisations above MAX_UTILISATION count as that.

    Parameters
    ----------
    servers, utilisation, share
        As in response_quantile.

    Returns
    -------
    ndarray, in mean service times
        Within 1 % of the exact value (interpolated).
    """
    return np.interp(utilisation, _GRID, _quantile_table(servers, share))


def tail_at(servers: int, utilisation: Floats, time: float) -> Floats:
    """Look up :func:`response_tail`; utilisations above MAX_UTILISATION count as that.

    Parameters
    ----------
    servers, utilisation, time
        As in response_tail.

    Returns
    -------
    ndarray
        Within 0.005 of the exact probability (interpolated).
    """
    return np.interp(utilisation, _GRID, _tail_table(servers, time))


@lru_cache(maxsize=512)
def max_utilisation(servers: int, time: float, share: float) -> float:
    """Highest utilisation at which at most a share of the responses takes longer than a time.

    Parameters
    ----------
    servers
        c, at least 1.
    time
        In mean service times.
    share
        E.g. 0.05.

    Returns
    -------
    float
        Between 0 and MAX_UTILISATION; 0 if even an idle server is too slow.
    """
    tails = _tail_table(servers, time)
    return float(np.interp(share, tails, _GRID)) if tails[0] <= share else 0.0


def closed_wait(users: Floats, rate: Floats | float, outside_seconds: float, share: float) -> Floats:
    """Wait in the queue of a saturated closed loop that a share of the requests does not exceed.

    The users outside the queue number about Poisson(C Z), the rest waits, and k requests ahead take Erlang(k) to leave:
    the wait is about normal with mean (N - C Z) / C and variance N / C^2.

    Parameters
    ----------
    users : ndarray
        N, concurrent users.
    rate : requests / s
        C, what the instances can serve.
    outside_seconds
        Z, time of a cycle outside the instances' queue: thinking, network, service.
    share
        E.g. 0.95.

    Returns
    -------
    ndarray, in seconds
        Zero below the knee.
    """
    queue = users - rate * outside_seconds
    return np.maximum(queue + NormalDist().inv_cdf(share) * np.sqrt(users), 0.0) / rate


def repairman(users: int, servers: int, service_seconds: float, outside_seconds: float) -> tuple[float, float]:
    """Exact throughput and mean response time of a closed loop (machine repairman, M/M/c//N).

    Parameters
    ----------
    users
        N, at least 1.
    servers
        c, at least 1.
    service_seconds
        Mean service time.
    outside_seconds
        Mean time between an answer and the same user's next request.

    Returns
    -------
    tuple of float
        Requests / s, and seconds from request to answer.
    """
    number = np.arange(1, users + 1)
    births = (users - number + 1) / outside_seconds
    deaths = np.minimum(number, servers) / service_seconds
    weights = np.concatenate([[0.0], np.cumsum(np.log(births / deaths))])
    probabilities = np.exp(weights - weights.max())
    probabilities /= probabilities.sum()
    throughput = float(probabilities[1:] @ deaths)
    return throughput, float(np.arange(users + 1) @ probabilities) / throughput


def service_quantile(share: float) -> float:
    """Quantile of an exponential service time, in means."""
    return -math.log(1 - share)
