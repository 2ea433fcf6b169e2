"""Days that might come next: a workload whose usual course is shifted and whose bursts come at other times.

A policy that is only good on the day it was planned on shows it here. Assumed: tomorrow's bursts are as many, as high
and as long as today's, relative to the usual load; the daily course moves by at most half an hour and 5 %.
"""

import numpy as np

from autoscaling.latency import Floats
from autoscaling.schedule_floor import usual_load
from autoscaling.workload import OpenLoop

_BLOCK_MINUTES = 45  # most bursts shorter than this keep their shape
_MOST_SHIFT_MINUTES = 30
_MOST_SCALE = 0.05


def rehearsals(workload: OpenLoop, count: int, seed: int) -> list[OpenLoop]:
    """Make days that might come next.

    Parameters
    ----------
    workload
        The day that is known.
    count
        How many.
    seed
        Of the draws.

    Returns
    -------
    list of OpenLoop
        Of the same length.
    """
    random = np.random.default_rng(seed)
    usual = usual_load(workload)
    bursts = np.divide(workload.requests, usual, out=np.ones_like(usual), where=usual > 0)
    return [OpenLoop(_shifted(usual, random) * _shuffled(bursts, random)) for _ in range(count)]


def _shifted(usual: Floats, random: np.random.Generator) -> Floats:
    """Move the usual course in time and height; its ends are held."""
    minutes = np.arange(usual.size)
    shift = random.uniform(-_MOST_SHIFT_MINUTES, _MOST_SHIFT_MINUTES)
    moved: Floats = np.interp(minutes + shift, minutes, usual)
    return moved * random.uniform(1 - _MOST_SCALE, 1 + _MOST_SCALE)


def _shuffled(bursts: Floats, random: np.random.Generator) -> Floats:
    """Put blocks into another order; the blocks' borders are drawn as well."""
    first = int(random.integers(1, _BLOCK_MINUTES + 1))
    blocks = np.split(bursts, np.arange(first, bursts.size, _BLOCK_MINUTES))
    return np.concatenate([blocks[index] for index in random.permutation(len(blocks)).tolist()])
