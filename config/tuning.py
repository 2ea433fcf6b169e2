"""Automatic model tuning: which hyperparameters are searched, how, and by how many jobs.

References
----------
SageMaker API reference, HyperParameterTuningJobConfig, ResourceLimits, ParameterRanges; "Linear learner tuning".
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from config.algorithms import Goal, Hyperparameter
from config.group import Group

Scale = Literal["auto", "linear", "logarithmic", "reverse_logarithmic"]
MOST_JOBS, MOST_PARALLEL_JOBS, MOST_RANGES = 750, 100, 30  # ResourceLimits; "Amazon SageMaker quotas"


class ContinuousRange(Group):
    """Real numbers from `min` to `max`."""

    min: float
    max: float
    scale: Scale = "auto"
    """How the search spreads over the range."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if problems := _problems(self.min, self.max, self.scale):
            raise ValueError("; ".join(problems))
        return self


class IntegerRange(Group):
    """Whole numbers from `min` to `max`."""

    min: int
    max: int
    scale: Scale = "auto"
    """How the search spreads over the range."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        problems = _problems(self.min, self.max, self.scale)
        if self.scale == "reverse_logarithmic":
            problems.append("scale reverse_logarithmic is for continuous ranges from 0 to below 1")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _problems(low: float, high: float, scale: Scale) -> list[str]:
    found = []
    if low >= high:
        found.append(f"min {low} is not below max {high}: exchange them")
    if scale == "logarithmic" and low <= 0:
        found.append(f"scale logarithmic needs min above 0, it is {low}")
    if scale == "reverse_logarithmic" and not 0 <= low < high < 1:
        found.append(f"scale reverse_logarithmic needs 0 <= min < max < 1, they are {low} and {high}")
    return found


class Tuning(Group):
    """The search that replaces the training job; the best job's model goes on to evaluation and gate."""

    objective: str | None = None
    """A metric the algorithm reports; by default Linear Learner's accuracy, XGBoost's loss."""
    goal: Goal | None = None
    """By default what is better of XGBoost's metrics, else maximize."""
    strategy: Literal["bayesian", "random", "grid", "hyperband"] = "bayesian"
    max_jobs: Annotated[int, Field(ge=1, le=MOST_JOBS)] = 8
    max_parallel_jobs: Annotated[int, Field(ge=1, le=MOST_PARALLEL_JOBS)] = 4
    early_stopping: bool = False
    """Let SageMaker end jobs that fall behind."""
    continuous: dict[str, ContinuousRange] = Field(default_factory=dict)
    integer: dict[str, IntegerRange] = Field(default_factory=dict)
    categorical: dict[str, Annotated[tuple[str, ...], Field(min_length=1, max_length=30)]] = Field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Hyperparameters that are searched, in order."""
        return [*self.continuous, *self.integer, *self.categorical]

    @property
    def bounds(self) -> dict[str, tuple[Hyperparameter, ...]]:
        """The ends of each range, or its categories."""
        found: dict[str, tuple[Hyperparameter, ...]] = dict(self.categorical)
        found |= {name: (ends.min, ends.max) for name, ends in self.continuous.items()}
        return found | {name: (ends.min, ends.max) for name, ends in self.integer.items()}

    @property
    def waves(self) -> int:
        """How many jobs run one after another, at most."""
        return math.ceil(self.max_jobs / self.max_parallel_jobs)

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        problems = []
        if not 1 <= len(self.names) <= MOST_RANGES:
            problems.append(f"{len(self.names)} ranges; a tuning job searches 1 to {MOST_RANGES} hyperparameters")
        if twice := sorted({name for name in self.names if self.names.count(name) > 1}):
            problems.append(f"{', '.join(twice)} has two ranges; leave one")
        if self.max_parallel_jobs > self.max_jobs:
            problems.append(f"max_parallel_jobs {self.max_parallel_jobs} is above max_jobs {self.max_jobs}")
        problems += self._strategy_problems()
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _strategy_problems(self) -> list[str]:
        found = []
        if self.strategy == "grid" and (self.continuous or self.integer):
            found.append("strategy grid takes categorical ranges only")
        combinations = math.prod(len(values) for values in self.categorical.values())
        if self.strategy == "grid" and self.max_jobs != combinations:
            found.append(
                f"strategy grid runs every combination: max_jobs must be {combinations}, it is {self.max_jobs}"
            )
        if self.strategy == "hyperband" and self.early_stopping:
            found.append("strategy hyperband stops jobs early by itself: leave early_stopping out")
        return found
