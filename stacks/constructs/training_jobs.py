"""The three jobs of a run: preprocess and evaluate as Processing jobs, train as a training job.

The evaluation of a script's model also packs the script into the model's archive, which is what will be served. Models
of algorithms that learn no labels are not evaluated. The channels of the run lie below its own prefix: `data/train`,
`data/validation`, `data/test`, `evaluation`.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from config.algorithms import RECORDIO
from config.training import Job, Training
from config.tuning import Tuning
from stacks.constructs.failure_path import FailurePath
from stacks.constructs.images import PROCESSING_IMAGE, Images, PrebuiltImage
from stacks.constructs.job_states import PROCESSING, job_state, processing_parameters, training_parameters
from stacks.constructs.protection import Protection
from stacks.constructs.training_images import evaluation_image, training_image
from stacks.constructs.training_script import TrainingScript
from stacks.constructs.tuning_job import tuning_parameters


class TrainingJobs(Construct):
    """States that run the jobs in turn; `chain` leads through them.

    Parameters
    ----------
    prefix : str
        What the jobs' names begin with.
    role : IRole
        What the jobs run with.
    script : TrainingScript, optional
        What trains instead of an algorithm.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        training: Training,
        script: TrainingScript | None,
        images: Images,
        role: iam.IRole,
        protection: Protection,
        failure: FailurePath,
    ) -> None:
        super().__init__(scope, construct_id)
        self._prefix = prefix
        self._training = training
        self._script = script
        self._images = images
        self._role = role
        self._protection = protection
        self._failure = failure
        fit = self._tune(training.tuning) if training.tuning else self._train()
        self.chain = sfn.Chain.start(self._preprocess()).next(fit)
        if training.learner.labelled:
            self.chain = self.chain.next(self._evaluate())

    def _preprocess(self) -> sfn.CustomState:
        folders = ("train", "validation", "test")
        content_type = self._training.learner.content_type
        form = [] if content_type == RECORDIO else ["--content-type", content_type]
        return self._processing_job(
            "Preprocess",
            step="prep",
            job=self._training.preprocess,
            image=PROCESSING_IMAGE,
            arguments=["preprocess", *_options(train="input/train", test="input/test", output="output"), *form],
            inputs={"train": "$.run.train_uri", "test": "$.run.test_uri"},
            outputs={**{folder: f"data/{folder}" for folder in folders}, "summary": "summary"},
            instance_count=self._training.preprocess.instance_count,
        )

    def _train(self) -> sfn.CustomState:
        job = job_state(
            self,
            "Train",
            action="createTrainingJob",
            parameters=self._protected(self._training_parameters()),
            max_runtime_seconds=self._training.max_runtime_seconds,
            result_selector={"job.$": "$.TrainingJobName", "model_data_url.$": "$.ModelArtifacts.S3ModelArtifacts"},
            result_path="$.trained",
        )
        self._failure.catch_job(job)
        return job

    def _tune(self, tuning: Tuning) -> sfn.Chain:
        job = job_state(
            self,
            "Tune",
            action="createHyperParameterTuningJob",
            parameters=self._protected(
                tuning_parameters(
                    tuning,
                    prefix=self._prefix,
                    objective=self._training.objective,
                    training=self._training_parameters(),
                )
            ),
            max_runtime_seconds=self._training.longest_fit_seconds,
            result_selector={"job.$": "$.BestTrainingJob.TrainingJobName"},
            result_path="$.trained",
        )
        self._failure.catch_job(job)
        artifact = "States.Format('{}/train/{}/output/model.tar.gz', $.job.output, $.trained.job)"
        best = sfn.Pass(
            self,
            "TakeBestJob",
            parameters={"job.$": "$.trained.job", "model_data_url.$": artifact},
            result_path="$.trained",
        )
        return sfn.Chain.start(job).next(best)

    def _protected(self, job: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters of a training or tuning job, protected; a script fetches its source itself."""
        return self._protection.job(job, needs_network=self._script is not None)

    def _training_parameters(self) -> dict[str, Any]:
        return training_parameters(
            self._training, image_uri=self._images.uri(training_image(self._training)), role_arn=self._role.role_arn
        )

    def _evaluate(self) -> sfn.CustomState:
        return self._processing_job(
            "Evaluate",
            step="eval",
            job=self._training.evaluate,
            image=evaluation_image(self._training),
            arguments=[
                "evaluate",
                *_options(model="input/model", test="input/test", output="output/evaluation"),
                *self._script_options(),
            ],
            inputs={"model": "$.trained.model_data_url", "test": "States.Format('{}/data/test', $.job.output)"},
            outputs={"evaluation": "evaluation", **({"packed": "packed"} if self._script else {})},
            assets={"source": self._script.asset.s3_object_url} if self._script else {},
        )

    def _script_options(self) -> list[str]:
        if not (self._script and self._training.script):
            return []
        named = ["--entry-point", self._script.program, "--framework", self._training.script.framework]
        return [*_options(source="input/source", packed="output/packed"), *named]

    def _processing_job(
        self, construct_id: str, *, step: str, job: Job, image: PrebuiltImage, **parameters: Any
    ) -> sfn.CustomState:
        state = job_state(
            self,
            construct_id,
            action="createProcessingJob",
            parameters=self._protection.job(
                processing_parameters(
                    step,
                    job=job,
                    image_uri=self._images.uri(image),
                    role_arn=self._role.role_arn,
                    **parameters,
                )
            ),
            max_runtime_seconds=job.max_runtime_seconds,
            result_selector={"job.$": "$.ProcessingJobName"},
            result_path=f"$.{construct_id.lower()}d",
        )
        self._failure.catch_job(state)
        return state


def _options(**paths: str) -> list[str]:
    """Return command-line options whose values are folders below /opt/ml/processing."""
    return [part for name, path in paths.items() for part in (f"--{name}", f"{PROCESSING}/{path}")]
