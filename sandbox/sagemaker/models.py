"""The state of SageMaker: moto's backend, with jobs that run.

The module's name is fixed: moto finds ``urls`` beside the module of a backend that is called ``models``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import ClassVar, TypeVar

from moto.sagemaker.exceptions import ResourceInUseException, ValidationError
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.utils import arn_formatter

from sandbox.logs import LogShipper
from sandbox.runtime import Runtime
from sandbox.sagemaker import processing, training, tuning
from sandbox.sagemaker.job import IN_PROGRESS, Job, ProcessingJob, TrainingJob
from sandbox.sagemaker.requests import Request
from sandbox.sagemaker.tuning import TuningJob

AnyJob = TypeVar("AnyJob", bound=Job)


class SageMakerBackend(SageMakerModelBackend):
    """One account's SageMaker in one region."""

    runtime: ClassVar[Runtime]
    shipper: ClassVar[LogShipper]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.processing_jobs: dict[str, ProcessingJob] = {}  # type: ignore[assignment] # not moto's inert ones
        self.training_jobs: dict[str, TrainingJob] = {}  # type: ignore[assignment]
        self.hyper_parameter_tuning_jobs: dict[str, TuningJob] = {}  # type: ignore[assignment]
        self._lock = threading.RLock()

    def start_processing_job(self, request: Request) -> ProcessingJob:
        """Create a processing job and start it."""
        processing.check(request)
        job = self._register(self.processing_jobs, ProcessingJob(request, self.account_id, self.region_name))
        job.begin(lambda: processing.process(job, self.runtime, self.shipper))
        return job

    def start_training_job(self, request: Request) -> TrainingJob:
        """Create a training job and start it."""
        training.check(request)
        job = self._register(self.training_jobs, TrainingJob(request, self.account_id, self.region_name))
        job.begin(lambda: training.train(job, self.runtime, self.shipper))
        return job

    def start_tuning_job(self, request: Request) -> TuningJob:
        """Create a hyperparameter-tuning job and start it."""
        tuning.check(request)
        job = self._register(self.hyper_parameter_tuning_jobs, TuningJob(request, self.account_id, self.region_name))
        job.begin(lambda: tuning.tune(job, self.start_training_job))
        return job

    def find(self, jobs: Mapping[str, AnyJob], arn_type: str, name: str) -> AnyJob:
        """Return the job called `name`, or raise AWS's ValidationException."""
        try:
            return jobs[name]
        except KeyError:
            arn = arn_formatter(arn_type, name, self.account_id, self.region_name)
            raise ValidationError(f"Requested resource not found: could not find {arn_type} '{arn}'.") from None

    def stop_jobs(self) -> None:
        """Stop every job and wait for its processes to end."""
        groups: list[Mapping[str, Job]] = [self.hyper_parameter_tuning_jobs, self.training_jobs, self.processing_jobs]
        jobs = [job for group in groups for job in list(group.values())]
        for job in jobs:
            job.stop_requested.set()
        for job in jobs:
            if job.status in IN_PROGRESS:
                job.finished.wait()

    def _register(self, jobs: dict[str, AnyJob], job: AnyJob) -> AnyJob:
        with self._lock:
            if job.name in jobs:
                raise ResourceInUseException(
                    f"Job name must be unique within an AWS account and region, and a {job.arn_type} "
                    f"with this name already exists ({job.arn})"
                )
            jobs[job.name] = job
        return job
