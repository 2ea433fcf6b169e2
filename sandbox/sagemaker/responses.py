"""SageMaker's API: moto's parsing and serialising, this room's behaviour."""

from __future__ import annotations

from typing import Any, cast

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse as MotoResponse

from sandbox.sagemaker.job import ProcessingJob, TrainingJob
from sandbox.sagemaker.models import SageMakerBackend
from sandbox.sagemaker.tuning import TuningJob


class SageMakerResponse(MotoResponse):
    """Actions that differ from moto's; one method an action."""

    @property
    def sagemaker_backend(self) -> SageMakerBackend:
        """The caller's backend."""
        return cast("SageMakerBackend", sagemaker_backends[self.current_account][self.region])

    @property
    def request(self) -> dict[str, Any]:
        """The call's parameters, as the API names them."""
        return cast("dict[str, Any]", self.params)

    def create_processing_job(self) -> ActionResult:
        """CreateProcessingJob."""
        return ActionResult({"ProcessingJobArn": self.sagemaker_backend.start_processing_job(self.request).arn})

    def describe_processing_job(self) -> ActionResult:
        """DescribeProcessingJob."""
        return ActionResult(self._processing_job().describe())

    def stop_processing_job(self) -> ActionResult:
        """StopProcessingJob."""
        self._processing_job().stop()
        return EmptyResult()

    def create_training_job(self) -> ActionResult:
        """CreateTrainingJob."""
        return ActionResult({"TrainingJobArn": self.sagemaker_backend.start_training_job(self.request).arn})

    def describe_training_job(self) -> ActionResult:
        """DescribeTrainingJob."""
        return ActionResult(self._training_job().describe())

    def stop_training_job(self) -> ActionResult:
        """StopTrainingJob."""
        self._training_job().stop()
        return EmptyResult()

    def create_hyper_parameter_tuning_job(self) -> ActionResult:
        """CreateHyperParameterTuningJob."""
        job = self.sagemaker_backend.start_tuning_job(self.request)
        return ActionResult({"HyperParameterTuningJobArn": job.arn})

    def describe_hyper_parameter_tuning_job(self) -> ActionResult:
        """DescribeHyperParameterTuningJob."""
        return ActionResult(self._tuning_job().describe())

    def stop_hyper_parameter_tuning_job(self) -> ActionResult:
        """StopHyperParameterTuningJob."""
        self._tuning_job().stop()
        return EmptyResult()

    def list_training_jobs_for_hyper_parameter_tuning_job(self) -> ActionResult:
        """ListTrainingJobsForHyperParameterTuningJob, in one page."""
        job = self._tuning_job()
        return ActionResult({"TrainingJobSummaries": [job.summarize(trial) for trial in job.trials]})

    def create_model(self) -> ActionResult:
        """CreateModel."""
        return ActionResult({"ModelArn": self.sagemaker_backend.add_model(self.request).arn})

    def describe_model(self) -> ActionResult:
        """DescribeModel."""
        return ActionResult(self.sagemaker_backend.find_model(self.request["ModelName"]).response_object)

    def create_endpoint_config(self) -> ActionResult:
        """CreateEndpointConfig."""
        return ActionResult({"EndpointConfigArn": self.sagemaker_backend.add_endpoint_config(self.request).arn})

    def describe_endpoint_config(self) -> ActionResult:
        """DescribeEndpointConfig."""
        config = self.sagemaker_backend.find_endpoint_config(self.request["EndpointConfigName"])
        return ActionResult(config.response_object)

    def create_endpoint(self) -> ActionResult:
        """CreateEndpoint."""
        return ActionResult({"EndpointArn": self.sagemaker_backend.add_endpoint(self.request).arn})

    def describe_endpoint(self) -> ActionResult:
        """DescribeEndpoint."""
        return ActionResult(self.sagemaker_backend.find_endpoint(self.request["EndpointName"]).describe())

    def update_endpoint(self) -> ActionResult:
        """UpdateEndpoint."""
        return ActionResult({"EndpointArn": self.sagemaker_backend.change_endpoint(self.request).arn})

    def update_endpoint_weights_and_capacities(self) -> ActionResult:
        """UpdateEndpointWeightsAndCapacities."""
        return ActionResult({"EndpointArn": self.sagemaker_backend.scale_endpoint(self.request).arn})

    def delete_model_package(self) -> ActionResult:
        """DeleteModelPackage, which moto lacks."""
        package = self.sagemaker_backend.describe_model_package(self.request["ModelPackageName"])
        del self.sagemaker_backend.model_packages[package.arn]
        return EmptyResult()

    def delete_model_package_group(self) -> ActionResult:
        """DeleteModelPackageGroup, which moto lacks; a group that holds versions stays."""
        name = self.request["ModelPackageGroupName"]
        packages = self.sagemaker_backend.model_packages.values()
        if any(package.model_package_group_name == name for package in packages):
            raise ValidationError(f"Model Package Group {name} is not empty: delete its model packages first")
        self.sagemaker_backend.describe_model_package_group(name)
        del self.sagemaker_backend.model_package_groups[name]
        return EmptyResult()

    def create_transform_job(self) -> ActionResult:
        """Refuse CreateTransformJob: moto would call an untouched job Completed."""
        raise ValidationError("The sandbox does not emulate CreateTransformJob; score files through an endpoint")

    def _processing_job(self) -> ProcessingJob:
        jobs = self.sagemaker_backend.processing_jobs
        return self.sagemaker_backend.find_job(jobs, "processing-job", self.request["ProcessingJobName"])

    def _training_job(self) -> TrainingJob:
        jobs = self.sagemaker_backend.training_jobs
        return self.sagemaker_backend.find_job(jobs, "training-job", self.request["TrainingJobName"])

    def _tuning_job(self) -> TuningJob:
        jobs = self.sagemaker_backend.hyper_parameter_tuning_jobs
        name = self.request["HyperParameterTuningJobName"]
        return self.sagemaker_backend.find_job(jobs, "hyper-parameter-tuning-job", name)
