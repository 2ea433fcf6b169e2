"""SPEC's measures on cases computed by hand."""

import math

import numpy as np
import pytest

from autoscaling.elasticity import Elasticity, elasticity, speed_up


def test_measures_meet_their_definitions() -> None:
    # Shortage 1 of 2 in one minute of four, excess 2 of 1 in another; supply changes twice, demand twice.
    found = elasticity(np.array([1.0, 2, 2, 1]), np.array([1.0, 1, 2, 3]))
    assert found == pytest.approx((12.5, 50.0, 25.0, 25.0, 0.0))


def test_perfect_supply_has_no_error() -> None:
    demand = np.array([1.0, 3, 2])
    assert elasticity(demand, demand) == Elasticity(0, 0, 0, 0, 0)


def test_speed_up_is_the_geometric_mean_of_the_four_ratios() -> None:
    # Published for the FIFA World Cup 98 trace (Imdoukh et al. 2019): none against LSTM, 1.84.
    none = Elasticity(3.29, 3.06, 57.95, 57.05, 0)
    lstm = Elasticity(0.48, 4.28, 15.85, 89.10, 0)
    assert speed_up(none, lstm) == pytest.approx(1.84, abs=0.01)
    for one_is_zero in (Elasticity(0, 1, 1, 1, 0), Elasticity(1, 1, 1, 0, 0)):
        assert math.isnan(speed_up(none, one_is_zero))
        assert math.isnan(speed_up(one_is_zero, none))
