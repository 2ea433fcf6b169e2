"""Chooses the hyperparameters of a tuning job's next training job: Random, Grid or Bayesian.

Bayesian is a Gaussian process with a squared-exponential kernel and expected improvement over random candidates. AWS
documents neither its surrogate nor its acquisition, so the sequence of points differs from AWS's; the roles do not.

References
----------
Jones, Schonlau, Welch (1998), Efficient Global Optimization of Expensive Black-Box Functions, eq. 15.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CANDIDATES = 512  # assumed: dense enough for the few dimensions of a tuning job
LENGTH_SCALE = 0.3  # assumed, in units of a parameter's scaled range
NOISE = 1e-4  # assumed, relative to the variance of the objective
RANDOM_STARTS = 3  # assumed: fewer points give the process nothing to fit
LOGARITHMIC_RATIO = 100.0  # assumed for ScalingType Auto, which AWS does not define

Point = tuple[float, ...]  # of the unit cube, one coordinate a parameter
_erf = np.vectorize(math.erf)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One hyperparameter's range.

    Parameters
    ----------
    name : str
        Hyperparameter.
    low, high : float
        Bounds of a number; unused for a category.
    integer : bool
        Whether only whole numbers count.
    scale : str
        Linear, Logarithmic or ReverseLogarithmic.
    values : tuple of str
        The categories; empty for a number.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    integer: bool = False
    scale: str = "Linear"
    values: tuple[str, ...] = ()

    def decode(self, coordinate: float) -> str:
        """Return the hyperparameter's value at `coordinate` in [0, 1)."""
        if self.values:
            return self.values[min(int(coordinate * len(self.values)), len(self.values) - 1)]
        if self.scale == "Logarithmic":
            value = math.exp(_between(coordinate, math.log(self.low), math.log(self.high)))
        elif self.scale == "ReverseLogarithmic":
            value = 1 - math.exp(_between(coordinate, math.log(1 - self.low), math.log(1 - self.high)))
        else:
            value = _between(coordinate, self.low, self.high)
        value = min(max(value, self.low), self.high)
        return str(round(value)) if self.integer else repr(value)

    def features(self, coordinate: float) -> list[float]:
        """Return `coordinate` as the Gaussian process sees it: categories are equally far from each other."""
        if not self.values:
            return [coordinate]
        chosen = self.decode(coordinate)
        return [float(value == chosen) for value in self.values]


def parameters(ranges: dict[str, Any]) -> list[Parameter]:
    """Read ParameterRanges; a ValueError names every range that is inverted or does not fit its scale."""
    found = [
        Parameter(
            name=item["Name"],
            low=float(item["MinValue"]),
            high=float(item["MaxValue"]),
            integer=kind == "IntegerParameterRanges",
            scale=_scale(item),
        )
        for kind in ("ContinuousParameterRanges", "IntegerParameterRanges")
        for item in ranges.get(kind) or []
    ]
    found += [
        Parameter(name=item["Name"], values=tuple(item["Values"]))
        for item in ranges.get("CategoricalParameterRanges") or []
    ]
    problems = [problem for parameter in found for problem in _problems(parameter)]
    if problems or not found:
        raise ValueError("; ".join(problems) or "ParameterRanges holds no range")
    return found


def grid(space: Sequence[Parameter]) -> list[dict[str, str]]:
    """Return every combination of categories; a ValueError if a range is not categorical, as AWS demands."""
    numeric = [parameter.name for parameter in space if not parameter.values]
    if numeric:
        raise ValueError(f"Grid takes only CategoricalParameterRanges, not {', '.join(numeric)}")
    names = [parameter.name for parameter in space]
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*(item.values for item in space))]


def random_point(space: Sequence[Parameter], rng: np.random.Generator) -> Point:
    """Draw a point uniformly in the scaled ranges."""
    return tuple(rng.random(len(space)).tolist())


def promising_point(
    space: Sequence[Parameter], seen: Sequence[tuple[Point, float | None]], rng: np.random.Generator
) -> Point:
    """Return the candidate with the largest expected improvement.

    Parameters
    ----------
    space : sequence of Parameter
        What the coordinates mean.
    seen : sequence of (point, objective)
        Larger is better; None for a job that still runs, which counts as average so that its neighbours are avoided.
    rng : numpy Generator
        Source of the candidates.
    """
    known = [objective for _, objective in seen if objective is not None]
    if len(known) < RANDOM_STARTS:
        return random_point(space, rng)
    mean, spread = float(np.mean(known)), float(np.std(known)) or 1.0
    y = np.array([0.0 if objective is None else (objective - mean) / spread for _, objective in seen])
    x = np.array([_features(space, point) for point, _ in seen])
    candidates = [random_point(space, rng) for _ in range(CANDIDATES)]
    gain = _expected_improvement(x, y, np.array([_features(space, point) for point in candidates]))
    return candidates[int(np.argmax(gain))]


def _expected_improvement(
    x: NDArray[np.float64], y: NDArray[np.float64], candidates: NDArray[np.float64]
) -> NDArray[np.float64]:
    covariance = _kernel(x, x) + NOISE * np.eye(len(x))
    across = _kernel(candidates, x)  # (n_candidates, n_seen)
    mean = across @ np.linalg.solve(covariance, y)
    variance = 1.0 - np.einsum("ij,ji->i", across, np.linalg.solve(covariance, across.T))
    deviation = np.sqrt(np.maximum(variance, 1e-12))
    z = (mean - y.max()) / deviation
    cumulative = 0.5 * (1 + _erf(z / math.sqrt(2)))
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return np.asarray(deviation * (z * cumulative + density), dtype=np.float64)


def _kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    squared = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
    return np.asarray(np.exp(-0.5 * squared / LENGTH_SCALE**2), dtype=np.float64)


def _features(space: Sequence[Parameter], point: Point) -> list[float]:
    return [value for item, coordinate in zip(space, point, strict=True) for value in item.features(coordinate)]


def _between(coordinate: float, low: float, high: float) -> float:
    return low + coordinate * (high - low)


def _scale(item: dict[str, Any]) -> str:
    scale = str(item.get("ScalingType") or "Auto")
    if scale != "Auto":
        return scale
    low, high = float(item["MinValue"]), float(item["MaxValue"])
    return "Logarithmic" if low > 0 and high / low >= LOGARITHMIC_RATIO else "Linear"


def _problems(parameter: Parameter) -> list[str]:
    if parameter.values:
        return []
    found = []
    if parameter.low > parameter.high:
        found.append(f"{parameter.name}: MinValue {parameter.low} is above MaxValue {parameter.high}")
    if parameter.scale == "Logarithmic" and parameter.low <= 0:
        found.append(f"{parameter.name}: Logarithmic needs MinValue > 0, not {parameter.low}")
    if parameter.scale == "ReverseLogarithmic" and not 0 <= parameter.low <= parameter.high < 1:
        found.append(f"{parameter.name}: ReverseLogarithmic needs 0 <= MinValue <= MaxValue < 1")
    return found
