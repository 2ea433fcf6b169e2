"""Measures of elasticity: how well supply follows demand.

References
----------
Herbst et al., "Ready for Rain? A View from SPEC Research on the Future of Cloud Metrics", SPEC RG Cloud, 2016. The
BUNGEE code uses absolute accuracy (instances); the paper's relative form (per cent of demand) is used here.
"""

import math
from typing import NamedTuple

import numpy as np

from autoscaling.latency import Floats


class Elasticity(NamedTuple):
    """Per cent, except for jitter."""

    theta_under: float
    """Accuracy: mean shortage relative to demand."""
    theta_over: float
    """Accuracy: mean excess relative to demand."""
    tau_under: float
    """Timeshare: time with too few instances."""
    tau_over: float
    """Timeshare: time with too many instances."""
    jitter: float
    """Changes of supply less changes of demand, a minute."""


def elasticity(demand: Floats, supply: Floats) -> Elasticity:
    """Compare supply with demand.

    Parameters
    ----------
    demand, supply : ndarray of shape (n_minutes,), instances
        Demand is at least 1.

    Returns
    -------
    Elasticity
        All zero where supply equals demand.
    """
    return Elasticity(
        theta_under=100 * float(np.mean(np.maximum(demand - supply, 0) / demand)),
        theta_over=100 * float(np.mean(np.maximum(supply - demand, 0) / demand)),
        tau_under=100 * float(np.mean(demand > supply)),
        tau_over=100 * float(np.mean(supply > demand)),
        jitter=float(np.count_nonzero(np.diff(supply)) - np.count_nonzero(np.diff(demand))) / demand.size,
    )


def speed_up(baseline: Elasticity, scaled: Elasticity) -> float:
    """Elastic speed-up of an autoscaler over a baseline.

    Parameters
    ----------
    baseline, scaled
        Without and with the autoscaler.

    Returns
    -------
    float
        Geometric mean of the four ratios, above 1 where the autoscaler is better; nan where a measure is 0.
    """
    measures = list(zip(baseline[:-1], scaled[:-1], strict=True))  # without jitter
    if any(before == 0 or after == 0 for before, after in measures):
        return math.nan
    return math.prod(before / after for before, after in measures) ** 0.25
