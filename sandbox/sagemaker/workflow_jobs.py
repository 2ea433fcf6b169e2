"""What the jobs of a workflow ask for that is not here: refused at its deploy, and not only when a job starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.sagemaker.exceptions import ValidationError

from sandbox.sagemaker import processing, training, tuning
from sandbox.sagemaker.images import processing_image, training_image
from sandbox.sagemaker.requests import Request, refuse_unsupported


def refuse_unknown_jobs(definition: str) -> None:
    """Refuse with a ValueError a workflow's definition with a job that the sandbox would not run.

    What an execution fills in is looked at when the job is created.
    """
    problems = []
    for state in json.loads(definition).get("States", {}).values():
        check = _CHECKS.get(state.get("Resource", "").rpartition(":")[2])
        try:
            if check:
                check(state.get("Parameters", {}))
        except ValidationError as error:
            problems.append(error.message)
    if problems:
        raise ValueError(" ".join(problems))


def _check_training(job: Request) -> None:
    refuse_unsupported(job, training.UNSUPPORTED)
    if image := job.get("AlgorithmSpecification", {}).get("TrainingImage"):
        training_image(image)


def _check_tuning(job: Request) -> None:
    refuse_unsupported(job, tuning.UNSUPPORTED)
    _check_training(job.get("TrainingJobDefinition", {}))


def _check_processing(job: Request) -> None:
    refuse_unsupported(job, processing.UNSUPPORTED)
    if image := job.get("AppSpecification", {}).get("ImageUri"):
        processing_image(image)


_CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "createTrainingJob.sync": _check_training,
    "createHyperParameterTuningJob.sync": _check_tuning,
    "createProcessingJob.sync": _check_processing,
}
