"""Ranges decode as AWS scales them; the Bayesian search needs fewer points than luck."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.sagemaker.search import Parameter, grid, parameters, promising_point, random_point

UNIT = st.floats(0, 1, exclude_max=True)


@given(UNIT)
def test_decoded_values_stay_in_their_range(coordinate: Any) -> None:
    ranges = {
        "ContinuousParameterRanges": [
            {"Name": "wd", "MinValue": "1e-7", "MaxValue": "1", "ScalingType": "Logarithmic"},
            {"Name": "keep", "MinValue": "0.5", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"},
        ],
        "IntegerParameterRanges": [{"Name": "batch", "MinValue": "100", "MaxValue": "5000"}],
    }
    wd, keep, batch = parameters(ranges)
    assert 1e-7 <= float(wd.decode(coordinate)) <= 1
    assert 0.5 <= float(keep.decode(coordinate)) <= 0.999
    assert 100 <= int(batch.decode(coordinate)) <= 5000


def test_logarithmic_scale_spreads_decades_evenly() -> None:
    wd = Parameter(name="wd", low=1e-6, high=1.0, scale="Logarithmic")
    assert float(wd.decode(0.5)) == pytest.approx(1e-3)


def test_auto_scale_is_logarithmic_over_many_decades() -> None:
    wide, narrow = parameters(
        {
            "ContinuousParameterRanges": [
                {"Name": "wide", "MinValue": "0.0001", "MaxValue": "1"},
                {"Name": "narrow", "MinValue": "1", "MaxValue": "2", "ScalingType": "Auto"},
            ]
        }
    )
    assert (wide.scale, narrow.scale) == ("Logarithmic", "Linear")


def test_grid_is_the_product_of_all_categories() -> None:
    space = [Parameter(name="a", values=("1", "2")), Parameter(name="b", values=("x", "y"))]
    assert {tuple(point.values()) for point in grid(space)} == {("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")}


def test_all_broken_ranges_are_named_at_once() -> None:
    ranges = {
        "ContinuousParameterRanges": [
            {"Name": "a", "MinValue": "2", "MaxValue": "1"},
            {"Name": "b", "MinValue": "0", "MaxValue": "1", "ScalingType": "Logarithmic"},
        ]
    }
    with pytest.raises(ValueError, match=r"a: MinValue 2.0 is above.*; b: Logarithmic needs MinValue > 0"):
        parameters(ranges)


def test_bayesian_search_comes_closer_than_random_search() -> None:
    space = [Parameter(name="x", high=1.0), Parameter(name="y", high=1.0)]

    def best(propose: Any, seed: Any) -> Any:
        rng = np.random.default_rng(seed)
        seen: list[Any] = []
        for _ in range(15):
            point = propose(seen, rng)
            seen.append((point, -((point[0] - 0.3) ** 2 + (point[1] - 0.8) ** 2)))
        return max(objective for _, objective in seen)

    random = [best(lambda _, rng: random_point(space, rng), seed) for seed in range(20)]
    bayesian = [best(lambda seen, rng: promising_point(space, seen, rng), seed) for seed in range(20)]
    assert np.median(bayesian) > np.median(random) / 4  # a quarter of the squared distance
    assert sum(b > r for b, r in zip(bayesian, random, strict=True)) >= 15
