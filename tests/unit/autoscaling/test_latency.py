"""The latency model meets closed forms that are computed another way."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaling.latency import (
    closed_wait,
    erlang_c,
    max_utilisation,
    quantile_at,
    repairman,
    response_quantile,
    response_tail,
    tail_at,
)
from autoscaling.workload import mean_throughput

LOADS = np.array([0.05, 0.3, 0.5, 0.7, 0.9, 0.99])


def test_mm1_response_time_is_exponential() -> None:
    for time in (0.5, 3.0, 40.0):
        assert response_tail(1, LOADS, time) == pytest.approx(np.exp(-(1 - LOADS) * time), rel=1e-9)
    assert response_quantile(1, LOADS, 0.95) == pytest.approx(math.log(20) / (1 - LOADS), rel=1e-6)


@pytest.mark.parametrize("servers", [1, 2, 4, 16, 170])
def test_erlang_c_meets_its_definition(servers: int) -> None:
    for load in LOADS.tolist():
        offered = servers * load
        logs = [k * math.log(offered) - math.lgamma(k + 1) for k in range(servers + 1)]
        top = max(logs)
        last = math.exp(logs[-1] - top) / (1 - load)
        exact = last / (sum(math.exp(value - top) for value in logs[:-1]) + last)
        assert erlang_c(servers, np.array([load]))[0] == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("servers", [2, 4, 40])
def test_mmc_response_tail_meets_the_integral_of_wait_and_service(servers: int) -> None:
    for load in (0.4, 0.75, 0.97):
        waits, drain = erlang_c(servers, np.array([load]))[0], servers * (1 - load)
        step = 1e-4
        middle = np.arange(0, 3.0, step) + step / 2  # service time so far; the rest of the time is waiting
        queued = (np.exp(-middle) * waits * np.exp(-drain * (3.0 - middle))).sum() * step
        assert response_tail(servers, np.array([load]), 3.0)[0] == pytest.approx(math.exp(-3.0) + queued, rel=1e-6)


def test_erlang_2_is_met_where_the_queue_drains_at_the_service_rate() -> None:
    load = np.array([0.75])  # 4 servers: 4 x (1 - 0.75) = 1
    waits = erlang_c(4, load)[0]
    exact = (1 - waits) * math.exp(-2.0) + waits * 3.0 * math.exp(-2.0)
    assert response_tail(4, load, 2.0)[0] == pytest.approx(exact, rel=1e-5)


@settings(deadline=None)
@given(
    servers=st.sampled_from([1, 2, 4, 8, 40, 96]),
    load=st.floats(0.0, 0.999),
    share=st.sampled_from([0.5, 0.9, 0.95, 0.99]),
    time=st.sampled_from([0.5, 3.0, 30.0, 300.0]),
)
def test_tables_stay_within_their_stated_interval(servers: int, load: float, share: float, time: float) -> None:
    loads = np.array([load])
    assert quantile_at(servers, loads, share)[0] == pytest.approx(response_quantile(servers, loads, share)[0], rel=0.01)
    assert tail_at(servers, loads, time)[0] == pytest.approx(response_tail(servers, loads, time)[0], abs=0.005)


def test_max_utilisation_is_where_five_per_cent_are_late() -> None:
    load = max_utilisation(4, 300.0, 0.05)
    assert response_tail(4, np.array([load]), 300.0)[0] == pytest.approx(0.05, abs=1e-3)
    assert max_utilisation(4, 0.01, 0.05) == 0.0


@settings(deadline=None)
@given(
    users=st.integers(1, 400),
    servers=st.integers(1, 8),
    service=st.floats(0.001, 1.0),
    outside=st.floats(0.001, 10.0),
)
def test_asymptotic_bounds_are_never_below_the_exact_throughput(
    users: int, servers: int, service: float, outside: float
) -> None:
    exact, response = repairman(users, servers, service, outside)
    borders = np.array([users, users], dtype=float)
    bound = mean_throughput(borders, servers / service, outside + service)[0]
    assert exact <= bound * (1 + 1e-9)
    assert response >= max(service, users * service / servers - outside) * (1 - 1e-9)
    assert exact * (response + outside) == pytest.approx(users, rel=1e-9)  # Little's law


def test_repairman_meets_the_textbook_with_two_users_and_one_server() -> None:
    # States 0, 1, 2 in repair with equal rates weigh 1 : 2 : 2, so X = 4/5 of the service rate.
    throughput, response = repairman(2, 1, 1.0, 1.0)
    assert throughput == pytest.approx(0.8)
    assert response == pytest.approx(1.5)


@pytest.mark.parametrize("users", [200, 600, 850, 1000, 2000])
def test_closed_loop_of_the_article_stays_within_3_per_cent_of_the_exact_value(users: int) -> None:
    service = 4 / 1200
    exact, _ = repairman(users, 4, service, 0.664 - service)
    bound = mean_throughput(np.array([users, users], dtype=float), 1200.0, 0.664)[0]
    assert bound == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize("users", [900, 1000, 1500])
def test_closed_wait_quantiles_stay_within_5_per_cent_of_simulated_waits(users: int) -> None:
    # Exact: a user finds the stationary queue of N - 1 users; with k ahead of it in the queue it waits Erlang(k + 1).
    service, outside, servers = 4 / 1200, 0.664 - 4 / 1200, 4
    number = np.arange(1, users)
    ratios = np.log((users - number) / outside) - np.log(np.minimum(number, servers) / service)
    weights = np.concatenate([[0.0], np.cumsum(ratios)])
    seen = np.exp(weights - weights.max())
    random = np.random.default_rng(0)
    present = random.choice(users, size=200_000, p=seen / seen.sum())
    waits = random.gamma(np.maximum(present - servers + 1, 1e-9), service / servers)
    for share in (0.5, 0.95):
        model = closed_wait(np.array([float(users)]), 1200.0, 0.664, share)[0]
        assert model == pytest.approx(np.quantile(waits, share), rel=0.05)
