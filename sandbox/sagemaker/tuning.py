"""Runs a hyperparameter-tuning job: a stream of training jobs, a bounded number at a time, and the best of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from moto.sagemaker.exceptions import ValidationError

from sandbox.sagemaker import search
from sandbox.sagemaker.images import training_image
from sandbox.sagemaker.job import IN_PROGRESS, Job, JobFailedError, TrainingJob
from sandbox.sagemaker.metrics import definitions
from sandbox.sagemaker.requests import Only, Request, check_name, refuse_unsupported

POLL_SECONDS = 0.1
LONGEST_NAME = 32  # API_CreateHyperParameterTuningJob.html

UNSUPPORTED = (
    Only("HyperParameterTuningJobConfig.Strategy", ("Random", "Grid", "Bayesian")),
    Only("HyperParameterTuningJobConfig.TrainingJobEarlyStoppingType", ("Off",)),
    Only("HyperParameterTuningJobConfig.ParameterRanges.AutoParameters"),
    Only("HyperParameterTuningJobConfig.TuningJobCompletionCriteria.BestObjectiveNotImproving"),
    Only("HyperParameterTuningJobConfig.TuningJobCompletionCriteria.ConvergenceDetected"),
    Only("TrainingJobDefinitions"),
    Only("TrainingJobDefinition.HyperParameterTuningResourceConfig"),
    Only("WarmStartConfig"),
    Only("Autotune"),
)


@dataclass
class Trial:
    """One training job of a tuning job.

    Parameters
    ----------
    job : TrainingJob
        The job.
    tuned : dict of str to str
        The hyperparameters the search chose.
    point : tuple of float, optional
        Where they lie in the unit cube; None for Grid.
    """

    job: TrainingJob
    tuned: dict[str, str]
    point: search.Point | None


class TuningJob(Job):
    """A hyperparameter-tuning job and its trials."""

    kind, arn_type = "HyperParameterTuningJob", "hyper-parameter-tuning-job"
    end_field = "HyperParameterTuningEndTime"

    hyper_parameter_tuning_job_name = property(lambda self: self.name)
    hyper_parameter_tuning_job_status = property(lambda self: self.status)

    def __init__(self, request: Request, account_id: str, region_name: str) -> None:
        super().__init__(request, account_id, region_name)
        self.config: dict[str, Any] = request["HyperParameterTuningJobConfig"]
        self.definition: dict[str, Any] = request["TrainingJobDefinition"]
        self.objective: dict[str, str] = self.config["HyperParameterTuningJobObjective"]
        self.sign = 1.0 if self.objective["Type"] == "Maximize" else -1.0
        self.trials: list[Trial] = []

    def value(self, trial: Trial) -> float | None:
        """Return a trial's objective; None while it runs or when it never reported one."""
        metrics = trial.job.facts.get("FinalMetricDataList", []) if trial.job.status == "Completed" else []
        return next((item["Value"] for item in metrics if item["MetricName"] == self.objective["MetricName"]), None)

    def best(self) -> Trial | None:
        """Return the trial with the best objective so far."""
        scored = [(value, trial) for trial in self.trials if (value := self.value(trial)) is not None]
        return max(scored, key=lambda pair: self.sign * pair[0])[1] if scored else None

    def summarize(self, trial: Trial) -> dict[str, Any]:
        """Return a trial as ListTrainingJobsForHyperParameterTuningJob shows it."""
        value = self.value(trial)
        running = trial.job.status in IN_PROGRESS
        answer = {
            "TrainingJobName": trial.job.name,
            "TrainingJobArn": trial.job.arn,
            "TuningJobName": self.name,
            "CreationTime": trial.job.creation_time,
            "TrainingStartTime": trial.job.facts.get("TrainingStartTime"),
            "TrainingEndTime": trial.job.end_time,
            "TrainingJobStatus": trial.job.status,
            "TunedHyperParameters": trial.tuned,
            "FailureReason": trial.job.failure_reason,
            "ObjectiveStatus": "Pending" if running else "Failed" if value is None else "Succeeded",
            "FinalHyperParameterTuningJobObjectiveMetric": {**self.objective, "Value": value},
        }
        if value is None:
            del answer["FinalHyperParameterTuningJobObjectiveMetric"]
        return {name: item for name, item in answer.items() if item is not None}

    def describe(self) -> dict[str, Any]:
        """Return the answer of DescribeHyperParameterTuningJob."""
        trials = [self.summarize(trial) for trial in self.trials]
        statuses = [trial["TrainingJobStatus"] for trial in trials]
        objectives = [trial["ObjectiveStatus"] for trial in trials]
        best = self.best()
        return {
            **super().describe(),
            "TrainingJobStatusCounters": {
                "Completed": statuses.count("Completed"),
                "InProgress": sum(status in IN_PROGRESS for status in statuses),
                "RetryableError": 0,
                "NonRetryableError": statuses.count("Failed"),
                "Stopped": statuses.count("Stopped"),
            },
            "ObjectiveStatusCounters": {name: objectives.count(name) for name in ("Succeeded", "Pending", "Failed")},
            **({"BestTrainingJob": self.summarize(best)} if best else {}),
        }

    def summary(self) -> dict[str, Any]:
        """Return what ListHyperParameterTuningJobs shows."""
        hidden = {"TrainingJobDefinition", "BestTrainingJob", "FailureReason"}
        answer = {name: item for name, item in self.describe().items() if name not in hidden}
        return {**answer, "Strategy": self.config["Strategy"], "ResourceLimits": self.config["ResourceLimits"]}


def check(request: Request) -> None:
    """Refuse with a ValidationError what AWS or the sandbox would not run."""
    check_name("hyperParameterTuningJobName", request["HyperParameterTuningJobName"], LONGEST_NAME)
    refuse_unsupported(request, UNSUPPORTED)
    config, definition = request["HyperParameterTuningJobConfig"], request.get("TrainingJobDefinition")
    if not definition or not config.get("HyperParameterTuningJobObjective"):
        raise ValidationError("A tuning job needs TrainingJobDefinition and HyperParameterTuningJobObjective")
    try:
        space = search.parameters(_ranges(request))
        if config["Strategy"] == "Grid":
            search.grid(space)
    except ValueError as error:
        raise ValidationError(str(error)) from error
    image = training_image(definition["AlgorithmSpecification"].get("TrainingImage", ""))
    metrics = [name for name, _ in definitions(definition, image)]
    objective = config["HyperParameterTuningJobObjective"]["MetricName"]
    if objective not in metrics:
        raise ValidationError(f"The objective metric '{objective}' is none of the job's metrics: {', '.join(metrics)}")


def tune(job: TuningJob, start: Callable[[Request], TrainingJob]) -> str:
    """Run `job` to its end.

    Parameters
    ----------
    job : TuningJob
        What to search.
    start : callable
        Creates a training job from a CreateTrainingJob request.

    Returns
    -------
    str
        ``Completed`` or ``Stopped``.

    Raises
    ------
    JobFailedError
        No training job reported the objective.
    """
    limits = job.config["ResourceLimits"]
    chosen = _choices(job)
    exhausted = False
    while True:
        running = [trial for trial in job.trials if not trial.job.finished.is_set()]
        exhausted = exhausted or _enough(job)
        if job.stop_requested.is_set():
            break
        while not exhausted and len(running) < limits["MaxParallelTrainingJobs"]:
            choice = next(chosen, None)
            if choice is None:
                exhausted = True
                break
            running.append(_start_trial(job, *choice, start))
        if exhausted and not running:
            break
        job.stop_requested.wait(POLL_SECONDS)
    return _conclude(job)


def _conclude(job: TuningJob) -> str:
    for trial in job.trials:
        if trial.job.status == "InProgress":
            trial.job.stop()
    for trial in job.trials:
        trial.job.finished.wait()
    if job.stop_requested.is_set():
        return "Stopped"
    if job.best() is None:
        reasons = {trial.job.failure_reason or "the objective metric was not printed" for trial in job.trials}
        raise JobFailedError(
            f"No objective metrics found after running {len(job.trials)} training jobs: {'; '.join(sorted(reasons))}"
        )
    return "Completed"


def _enough(job: TuningJob) -> bool:
    criteria = job.config.get("TuningJobCompletionCriteria") or {}
    target, best = criteria.get("TargetObjectiveMetricValue"), job.best()
    if target is None or best is None:
        return False
    value = job.value(best)
    return value is not None and job.sign * value >= job.sign * target


def _choices(job: TuningJob) -> Iterator[tuple[dict[str, str], search.Point | None]]:
    """Yield the hyperparameters of one training job after another, at most as many as the limits allow."""
    space = search.parameters(_ranges(job.request))
    strategy = job.config["Strategy"]
    if strategy == "Grid":
        yield from ((tuned, None) for tuned in search.grid(space))
        return
    rng = np.random.default_rng(job.config.get("RandomSeed"))
    for _ in range(job.config["ResourceLimits"]["MaxNumberOfTrainingJobs"]):
        point = search.random_point(space, rng) if strategy == "Random" else _promising(job, space, rng)
        yield {item.name: item.decode(coordinate) for item, coordinate in zip(space, point, strict=True)}, point


def _promising(job: TuningJob, space: list[search.Parameter], rng: np.random.Generator) -> search.Point:
    seen = []
    for trial in job.trials:
        value = job.value(trial)
        if trial.point is not None and (value is not None or trial.job.status in IN_PROGRESS):
            seen.append((trial.point, None if value is None else job.sign * value))
    return search.promising_point(space, seen, rng)


def _start_trial(
    job: TuningJob, tuned: dict[str, str], point: search.Point | None, start: Callable[[Request], TrainingJob]
) -> Trial:
    static = job.definition.get("StaticHyperParameters") or {}
    forced = {"_tuning_objective_metric": job.objective["MetricName"]}  # SageMaker adds it: the algorithm must know
    own = ("AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig")
    optional = ("StoppingCondition", "VpcConfig", "EnableNetworkIsolation", "Environment")
    request = {
        "TrainingJobName": f"{job.name}-{len(job.trials) + 1:03d}-{uuid.uuid4().hex[:8]}",
        "HyperParameters": {**static, **tuned, **forced},
        **{name: job.definition[name] for name in (*own, *optional) if name in job.definition},
    }
    trial = Trial(start(request), tuned, point)
    trial.job.facts["TuningJobArn"] = job.arn
    job.trials.append(trial)
    return trial


def _ranges(request: Request) -> dict[str, Any]:
    """Return the ranges, which a request with one definition gives in its config, or in the definition."""
    in_config = request["HyperParameterTuningJobConfig"].get("ParameterRanges")
    return in_config or request["TrainingJobDefinition"].get("HyperParameterRanges") or {}
