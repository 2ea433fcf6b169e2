"""The state of SageMaker: moto's backend, with jobs that run and endpoints that serve.

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
from sandbox.sagemaker.deployment import Deployer
from sandbox.sagemaker.endpoint import Endpoint
from sandbox.sagemaker.fleets import Fleets
from sandbox.sagemaker.job import IN_PROGRESS, Job, ProcessingJob, TrainingJob
from sandbox.sagemaker.requests import Request, check_name
from sandbox.sagemaker.resources import EndpointConfig, Model, check_endpoint_config, check_model
from sandbox.sagemaker.tuning import TuningJob

AnyJob = TypeVar("AnyJob", bound=Job)
Anything = TypeVar("Anything")


class SageMakerBackend(SageMakerModelBackend):
    """One account's SageMaker in one region."""

    runtime: ClassVar[Runtime]
    shipper: ClassVar[LogShipper]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.processing_jobs: dict[str, ProcessingJob] = {}  # type: ignore[assignment] # not moto's inert ones
        self.training_jobs: dict[str, TrainingJob] = {}  # type: ignore[assignment]
        self.hyper_parameter_tuning_jobs: dict[str, TuningJob] = {}  # type: ignore[assignment]
        self._models: dict[str, Model] = {}  # type: ignore[assignment]
        self.endpoint_configs: dict[str, EndpointConfig] = {}  # type: ignore[assignment]
        self.endpoints: dict[str, Endpoint] = {}  # type: ignore[assignment]
        self.deployer = Deployer(Fleets(self.runtime, self.shipper, self._models), self.endpoints)
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

    def add_model(self, request: Request) -> Model:
        """Keep a model; CreateModel."""
        check_model(request)
        model = Model(request, self.account_id, self.region_name)
        with self._lock:
            self._refuse_existing(self._models, model.name, model.arn, "model")
            self._models[model.name] = model
        return model

    def find_model(self, name: str) -> Model:
        """Return a model, or raise AWS's ValidationException."""
        return self._find(self._models, "model", name)

    def delete_model(self, model_name: str) -> None:
        """Forget a model; what serves it goes on serving."""
        self.find_model(model_name)
        del self._models[model_name]

    def add_endpoint_config(self, request: Request) -> EndpointConfig:
        """Keep an endpoint configuration; CreateEndpointConfig."""
        check_endpoint_config(request)
        config = EndpointConfig(request, self.account_id, self.region_name)
        for variant in config.variants:
            self.find_model(variant["ModelName"])
        with self._lock:
            self._refuse_existing(self.endpoint_configs, config.name, config.arn, "endpoint configuration")
            self.endpoint_configs[config.name] = config
        return config

    def find_endpoint_config(self, name: str) -> EndpointConfig:
        """Return an endpoint configuration, or raise AWS's ValidationException."""
        return self._find(self.endpoint_configs, "endpoint-config", name)

    def delete_endpoint_config(self, endpoint_config_name: str) -> None:
        """Forget an endpoint configuration that no endpoint uses.

        AWS says one must not delete a configuration in use, but lets it happen; here it is an error.
        """
        config = self.find_endpoint_config(endpoint_config_name)
        users = [item.endpoint_name for item in self.endpoints.values() if item.uses(config.name)]
        if users:
            raise ValidationError(f'Cannot delete endpoint configuration "{config.arn}": {", ".join(users)} uses it.')
        del self.endpoint_configs[config.name]

    def add_endpoint(self, request: Request) -> Endpoint:
        """Create an endpoint and bring it into service; CreateEndpoint."""
        name = request["EndpointName"]
        check_name("endpointName", name)
        config = self.find_endpoint_config(request["EndpointConfigName"])
        self.deployer.check_creation(config, request)
        endpoint = Endpoint(name, config, self.account_id, self.region_name, list(request.get("Tags") or []))
        with self._lock:
            self._refuse_existing(self.endpoints, name, endpoint.arn, "endpoint")
            self.endpoints[name] = endpoint
        self.deployer.create(endpoint)
        return endpoint

    def find_endpoint(self, name: str) -> Endpoint:
        """Return an endpoint, or raise AWS's ValidationException."""
        return self._find(self.endpoints, "endpoint", name)

    def change_endpoint(self, request: Request) -> Endpoint:
        """Move an endpoint to another configuration; UpdateEndpoint."""
        config = self.find_endpoint_config(request["EndpointConfigName"])
        with self._lock:
            endpoint = self.find_endpoint(request["EndpointName"])
            self.deployer.update(endpoint, config, request)
        return endpoint

    def scale_endpoint(self, request: Request) -> Endpoint:
        """Change weights and instance counts; UpdateEndpointWeightsAndCapacities."""
        with self._lock:
            endpoint = self.find_endpoint(request["EndpointName"])
            self.deployer.scale(endpoint, request["DesiredWeightsAndCapacities"])
        return endpoint

    def delete_endpoint(self, endpoint_name: str) -> None:
        """Take an endpoint out of service."""
        with self._lock:
            self.deployer.delete(self.find_endpoint(endpoint_name))

    def find_job(self, jobs: Mapping[str, AnyJob], arn_type: str, name: str) -> AnyJob:
        """Return the job called `name`, or raise AWS's ValidationException."""
        return self._find(jobs, arn_type, name)

    def stop_everything(self) -> None:
        """Stop every job and every model server, and wait until their processes have ended."""
        groups: list[Mapping[str, Job]] = [self.hyper_parameter_tuning_jobs, self.training_jobs, self.processing_jobs]
        jobs = [job for group in groups for job in list(group.values()) if job.status in IN_PROGRESS]
        for job in jobs:
            job.stop_requested.set()
        for job in jobs:
            job.finished.wait()
        self.deployer.stop()

    def _find(self, known: Mapping[str, Anything], arn_type: str, name: str) -> Anything:
        try:
            return known[name]
        except KeyError:
            arn = arn_formatter(arn_type, name, self.account_id, self.region_name)
            words = arn_type.replace("endpoint-config", "endpoint configuration").replace("-", " ")
            raise ValidationError(f'Could not find {words} "{arn}".') from None

    def _refuse_existing(self, known: Mapping[str, object], name: str, arn: str, words: str) -> None:
        if name in known:
            raise ValidationError(f'Cannot create already existing {words} "{arn}".')

    def _register(self, jobs: dict[str, AnyJob], job: AnyJob) -> AnyJob:
        with self._lock:
            if job.name in jobs:
                raise ResourceInUseException(
                    f"Job name must be unique within an AWS account and region, and a {job.arn_type} "
                    f"with this name already exists ({job.arn})"
                )
            jobs[job.name] = job
        return job
