import numpy as np
import pytest

from loadtest.fit import FitError, Measurements, fit


def synthetic(
    capacity: float, outside: float, *, think: float = 0.0, noise: float = 0.03, users: int = 1000, seed: int = 0
) -> Measurements:
    """The article's test on one instance and then two, an interval each 15 s, with noise on the throughput."""
    random = np.random.default_rng(seed)
    ramp = np.concatenate([np.linspace(0, users, 40), np.full(40, users)])
    instances = np.where(np.arange(80) < 60, 1.0, 2.0)
    exact = np.minimum(ramp / (outside + think), capacity * instances)
    return Measurements(ramp, exact * random.normal(1.0, noise, 80), instances)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("capacity", "outside", "think"), [(1200.0, 0.664, 0.0), (600.0, 0.05, 0.9)])
def test_known_parameters_are_recovered_near_their_interval(
    capacity: float, outside: float, think: float, seed: int
) -> None:
    found = fit(synthetic(capacity, outside, think=think, seed=seed), think_seconds=think)
    assert found.max_rps is not None
    assert found.outside_seconds is not None
    assert found.max_rps.value == pytest.approx(capacity, rel=0.03)
    assert found.outside_seconds.value + think == pytest.approx(outside + think, rel=0.03)


def test_intervals_hold_the_known_parameters_about_as_often_as_they_say() -> None:
    held = np.zeros(2)
    runs = 60
    for seed in range(runs):
        found = fit(synthetic(1200.0, 0.664, seed=100 + seed))
        assert found.max_rps is not None
        assert found.outside_seconds is not None
        held += [
            found.max_rps.low <= 1200.0 <= found.max_rps.high,
            found.outside_seconds.low <= 0.664 <= found.outside_seconds.high,
        ]
    assert (held / runs >= 0.83).all()  # 95 % intervals; a block bootstrap of 80 intervals is a little too narrow


def test_exact_measurements_give_the_exact_parameters() -> None:
    found = fit(synthetic(1200.0, 0.664, noise=0.0))
    assert found.max_rps is not None
    assert found.max_rps.value == pytest.approx(1200.0, rel=1e-9)
    assert found.capacity(workers=4).unloaded_seconds == pytest.approx(0.664, rel=1e-9)


def test_test_that_saturates_nothing_tells_only_a_lower_bound() -> None:
    found = fit(synthetic(1200.0, 0.664, users=300))
    assert found.max_rps is None
    with pytest.raises(FitError, match=r"serves \d+ requests/s or more; test with more users"):
        found.capacity()


def test_test_that_is_saturated_from_the_beginning_tells_no_latency() -> None:
    users = np.linspace(400.0, 1000.0, 40)
    found = fit(Measurements(users, np.full(40, 300.0), np.ones(40)))
    assert found.outside_seconds is None
    assert found.capacity().max_rps == pytest.approx(300.0)


def test_test_without_ramp_is_refused() -> None:
    with pytest.raises(FitError, match=r"100 to 100 users an instance: .* test with a ramp"):
        fit(Measurements(np.full(40, 100.0), np.full(40, 300.0), np.ones(40)))


def test_too_few_intervals_are_refused() -> None:
    with pytest.raises(FitError, match="3 intervals; at least 6"):
        Measurements(np.arange(3.0), np.ones(3), np.ones(3))
