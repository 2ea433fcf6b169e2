"""Training: the jobs between raw records and an approved model."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from config.algorithms import ALGORITHMS, CSV, Algorithm, AlgorithmName, Goal, Hyperparameter
from config.group import Group
from config.retraining import Retraining
from config.script import Script
from config.tuning import Tuning

CLOUDFORMATION_WAIT_SECONDS = 3600  # the most a custom resource may take (CloudFormation, ServiceTimeout)
LONGEST_TRAINING_SECONDS = 55 * 60  # leaves five minutes of that for CloudFormation and the answer
JOB_START_SECONDS = 240  # assumed: what SageMaker takes to find an instance and pull the image

InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
SCRIPT = Algorithm(content_type=CSV)  # it checks its hyperparameters itself, and names its metrics


class Gate(Group):
    """What a model must reach on the test records before it is served."""

    metric: Literal["accuracy", "f1", "roc_auc", "precision", "recall", "false_alarm_rate"] = "accuracy"
    at_least: float | None = None
    at_most: float | None = None
    margin: Annotated[float, Field(ge=0)] = 0.01
    """How much worse than the served model a retrained one may be."""

    @model_validator(mode="after")
    def _has_one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give exactly one of at_least and at_most")
        return self


class Job(Group):
    """A processing job: its machine and its bound in time."""

    instance_type: InstanceType = "ml.m5.xlarge"
    volume_size_gb: Annotated[int, Field(ge=1, le=16384)] = 20
    max_runtime_seconds: Annotated[int, Field(ge=60, le=5 * 24 * 3600)] = 360


class ShardedJob(Job):
    """A processing job that may share its input files among several machines."""

    instance_count: Annotated[int, Field(ge=1, le=100)] = 1
    """With more than one, each gets a part of the files below an s3:// prefix."""


class Training(Group):
    """The jobs between raw records and an approved model."""

    algorithm: AlgorithmName = "linear-learner"
    """One of Amazon's; K-Means and PCA learn no labels, so their models are neither evaluated nor gated."""
    script: Script | None = None
    """Train with a script of your own instead."""
    instance_type: InstanceType = "ml.c4.xlarge"
    volume_size_gb: Annotated[int, Field(ge=1, le=16384)] = 20
    max_runtime_seconds: Annotated[int, Field(ge=60, le=28 * 24 * 3600)] = 600
    hyperparameters: dict[str, Hyperparameter] = Field(default_factory=dict)
    """The algorithm's own names; `feature_dim` is filled in from the dataset's schema."""
    instance_count: Annotated[int, Field(ge=1, le=100)] = 1
    """With more than one, each trains on a part of the rows."""
    preprocess: ShardedJob = ShardedJob(max_runtime_seconds=480)
    evaluate: Job = Job()
    tuning: Tuning | None = None
    """Search hyperparameters instead of training once; max_runtime_seconds bounds each of its jobs."""
    gate: Gate = Gate(metric="accuracy", at_least=0.9)
    retraining: Retraining | None = None
    """Train anew without a deploy, by the clock or on new data."""
    on_deploy: bool = True
    """Train as part of `cdk deploy`; otherwise the deploy takes what was approved last."""

    @model_validator(mode="before")
    @classmethod
    def _with_the_algorithms_defaults(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("script") is not None:
            return given
        algorithm = ALGORITHMS.get(given.get("algorithm", "linear-learner"))
        own = given.get("hyperparameters", {})
        if algorithm is None or not isinstance(own, dict):
            return given  # the fields' own checks say what is wrong
        return {**given, "hyperparameters": {**algorithm.defaults, **own}}

    @property
    def learner(self) -> Algorithm:
        """What is known of the algorithm, or of scripts in general."""
        return SCRIPT if self.script else ALGORITHMS[self.algorithm]

    @property
    def is_linear_learner(self) -> bool:
        """Whether Linear Learner is what trains."""
        return self.script is None and self.algorithm == "linear-learner"

    @property
    def objective(self) -> tuple[str, Goal]:
        """The metric a search follows, and whether more of it is better."""
        assert self.tuning, "only a search has an objective"
        known = self.learner.objectives
        name = self.tuning.objective or next(iter(known), "")
        return name, self.tuning.goal or known.get(name, "maximize")

    @property
    def longest_seconds(self) -> int:
        """Longest time the jobs may take, with one of them, the longest, run twice after a fault of AWS."""
        processing = [self.preprocess, *([self.evaluate] if self.learner.labelled else [])]
        bounds = [*(job.max_runtime_seconds + JOB_START_SECONDS for job in processing), self.longest_fit_seconds]
        return sum(bounds) + max(bounds)

    @property
    def longest_fit_seconds(self) -> int:
        """Longest time the training job may take, or all of those that tune."""
        return (self.max_runtime_seconds + JOB_START_SECONDS) * (self.tuning.waves if self.tuning else 1)

    @model_validator(mode="after")
    def _fits_the_algorithm(self) -> Self:
        problems = self._problems_of_the_search() if self.tuning else []
        if self.script:
            if "algorithm" in self.model_fields_set:
                problems.append(f"algorithm = {self.algorithm!r} and a script exclude each other: leave one out")
        else:
            searched = self.tuning.names if self.tuning else ()
            if wrong := self.learner.problems(self.hyperparameters, searched):
                problems.append(f"hyperparameters of {self.algorithm}: {'; '.join(wrong)}")
        if not self.learner.labelled:
            unused = [name for name in ("gate", "evaluate", "tuning") if name in self.model_fields_set]
            problems += [f"{name} has no meaning for {self.algorithm}, which learns no labels" for name in unused]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems_of_the_search(self) -> list[str]:
        assert self.tuning, "asked only where there is a search"
        problems = []
        if both := self.learner.from_data.intersection(self.tuning.names):
            problems.append(f"{', '.join(sorted(both))} follows from the data and cannot be tuned")
        if self.learner.rules is not None:
            problems += self.learner.problems_of_ranges(self.tuning.bounds)
        known = self.script.metrics if self.script else self.learner.objectives
        name, _ = self.objective
        if name not in known and (self.script or self.learner.rules is not None):
            listed = ", ".join(known) or "none: name them in training.script.metrics"
            problems.append(f"tuning.objective {name!r} is none of the metrics that are reported: {listed}")
        return problems

    @model_validator(mode="after")
    def _fits_into_a_deployment(self) -> Self:
        if self.on_deploy and self.longest_seconds > LONGEST_TRAINING_SECONDS:
            raise ValueError(
                f"the jobs could take {self.longest_seconds} s, and CloudFormation waits "
                f"{CLOUDFORMATION_WAIT_SECONDS} s at most: lower max_runtime_seconds of preprocess, training or "
                f"evaluate until they sum to {LONGEST_TRAINING_SECONDS} s"
                f"{', raise max_parallel_jobs' if self.tuning else ''}, or set on_deploy = false"
            )
        return self
