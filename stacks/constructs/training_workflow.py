"""The training workflow: preprocess, train, evaluate, gate, promote; one path for every failure, and it says why.

    Prepare -> Approved before? --yes------------------------------.
                   | no                                            v
               Preprocess -> Train -> Evaluate -> ReadEvaluation -> Gate -> Promote -> Answer

A run's files live below `runs/<key>/<execution>/`. Promotion copies the model to `models/<key>/`, its evaluation last:
an evaluation there means the model is complete. Then the parameter `model/approved` names it.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from config.settings import Job, Training
from stacks.constructs.failure_path import FailurePath
from stacks.constructs.images import Images
from stacks.constructs.job_states import (
    PROCESSING,
    job_state,
    job_statements,
    processing_parameters,
    training_parameters,
)

CALL_TIMEOUT = Duration.minutes(1)


class TrainingWorkflow(Construct):
    """The state machine of one environment.

    Parameters
    ----------
    prefix : str
        `<project>-<env>`: what the jobs' names begin with.
    approved_parameter : str
        Name of the SSM parameter that promotion writes; CloudFormation does not own it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        training: Training,
        images: Images,
        bucket: s3.IBucket,
        job_role: iam.IRole,
        answer: lambda_.IFunction,
        approved_parameter: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._prefix = prefix
        self._training = training
        self._images = images
        self._bucket = bucket
        self._job_role = job_role
        self._approved_parameter = approved_parameter
        self._failure = FailurePath(self, "Failure", answer=answer)
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            definition_body=sfn.DefinitionBody.from_chainable(self._definition(answer)),
            comment="preprocess, train, evaluate, gate, promote",
        )
        for statement in job_statements(self, prefix, job_role):
            self.state_machine.add_to_role_policy(statement)

    def _definition(self, answer: lambda_.IFunction) -> sfn.IChainable:
        read = self._read_evaluation()
        read.next(self._gate(self._promotion(answer)))
        known = self._take("TakeApprovedModel", "States.Format('models/{}/evaluation.json', $.run.key)", is_new=False)
        new = self._take(
            "TakeNewModel",
            "States.Format('runs/{}/{}/evaluation/evaluation.json', $.run.key, $$.Execution.Name)",
            is_new=True,
        )
        was_approved = sfn.Condition.number_greater_than("$.approved.count", 0)
        return (
            self._prepare()
            .next(self._find_approved())
            .next(
                sfn.Choice(self, "WasItApprovedBefore")
                .when(was_approved, known.next(read))
                .otherwise(self._jobs().next(new).next(read))
            )
        )

    def _prepare(self) -> sfn.Pass:
        # executions started by a schedule have UUIDs for names; their first part leaves room for the rest of a job's
        short_name = "States.ArrayGetItem(States.StringSplit($$.Execution.Name, '-'), 0)"
        runs = f"s3://{self._bucket.bucket_name}/runs"
        return sfn.Pass(
            self,
            "Prepare",
            parameters={
                "name.$": f"States.Format('{self._prefix}-{{}}', {short_name})",
                "output.$": f"States.Format('{runs}/{{}}/{{}}', $.run.key, $$.Execution.Name)",
                "attempt": 0,
            },
            result_path="$.job",
        )

    def _find_approved(self) -> tasks.CallAwsService:
        return self._call(
            "FindApprovedModel",
            service="s3",
            action="listObjectsV2",
            parameters={
                "Bucket": self._bucket.bucket_name,
                "Prefix.$": "States.Format('models/{}/evaluation.json', $.run.key)",
                "MaxKeys": 1,
            },
            iam_action="s3:ListBucket",
            iam_resources=[self._bucket.bucket_arn],
            result_selector={"count.$": "$.KeyCount"},
            result_path="$.approved",
        )

    def _take(self, construct_id: str, key: str, *, is_new: bool) -> sfn.Pass:
        """Return a state that says which evaluation the gate reads, and whether its model must still be copied."""
        return sfn.Pass(self, construct_id, parameters={"key.$": key, "is_new": is_new}, result_path="$.evaluated")

    def _jobs(self) -> sfn.Chain:
        return sfn.Chain.start(self._preprocess()).next(self._train()).next(self._evaluate())

    def _preprocess(self) -> sfn.CustomState:
        folders = ("train", "validation", "test")
        return self._processing_job(
            "Preprocess",
            step="prep",
            job=self._training.preprocess,
            arguments=["preprocess", *_options(train="input/train", test="input/test", output="output")],
            inputs={"train": "$.run.train_uri", "test": "$.run.test_uri"},
            outputs={**{folder: f"data/{folder}" for folder in folders}, "summary": "summary"},
        )

    def _train(self) -> sfn.CustomState:
        job = job_state(
            self,
            "Train",
            action="createTrainingJob",
            parameters=training_parameters(
                self._training, image_uri=self._images.uri("linear-learner"), role_arn=self._job_role.role_arn
            ),
            max_runtime_seconds=self._training.max_runtime_seconds,
            result_selector={"job.$": "$.TrainingJobName", "model_data_url.$": "$.ModelArtifacts.S3ModelArtifacts"},
            result_path="$.trained",
        )
        self._failure.catch_job(job)
        return job

    def _evaluate(self) -> sfn.CustomState:
        return self._processing_job(
            "Evaluate",
            step="eval",
            job=self._training.evaluate,
            arguments=["evaluate", *_options(model="input/model", test="input/test", output="output/evaluation")],
            inputs={"model": "$.trained.model_data_url", "test": "States.Format('{}/data/test', $.job.output)"},
            outputs={"evaluation": "evaluation"},
        )

    def _processing_job(self, construct_id: str, *, step: str, job: Job, **parameters: Any) -> sfn.CustomState:
        state = job_state(
            self,
            construct_id,
            action="createProcessingJob",
            parameters=processing_parameters(
                step,
                job=job,
                image_uri=self._images.uri("scikit-learn"),
                role_arn=self._job_role.role_arn,
                **parameters,
            ),
            max_runtime_seconds=job.max_runtime_seconds,
            result_selector={"job.$": "$.ProcessingJobName"},
            result_path=f"$.{construct_id.lower()}d",
        )
        self._failure.catch_job(state)
        return state

    def _read_evaluation(self) -> tasks.CallAwsService:
        return self._call(
            "ReadEvaluation",
            service="s3",
            action="getObject",
            parameters={"Bucket": self._bucket.bucket_name, "Key.$": "$.evaluated.key"},
            iam_resources=self._objects("runs/*/evaluation/evaluation.json", "models/*/evaluation.json"),
            result_selector={"metrics.$": "States.StringToJson($.Body)"},
            result_path="$.evaluation",
        )

    def _gate(self, promotion: sfn.IChainable) -> sfn.Choice:
        gate = self._training.gate
        value = f"$.evaluation.metrics.{gate.metric}"
        if gate.at_least is not None:
            passes = sfn.Condition.number_greater_than_equals(value, gate.at_least)
            wanted = f"at least {gate.at_least}"
        else:
            passes = sfn.Condition.number_less_than_equals(value, gate.at_most or 0.0)
            wanted = f"at most {gate.at_most}"
        reason = f"States.Format('the gate refused the model: {gate.metric} is {{}}, {wanted} is wanted', {value})"
        return sfn.Choice(self, "Gate").when(passes, promotion).otherwise(self._failure.refuse("GateRefuses", reason))

    def _promotion(self, answer: lambda_.IFunction) -> sfn.IChainable:
        run = f"States.Format('{self._bucket.bucket_name}/runs/{{}}/{{}}"
        model = self._copy(
            "CopyModel",
            source=f"{run}/train/{{}}/output/model.tar.gz', $.run.key, $$.Execution.Name, $.trained.job)",
            file="model.tar.gz",
        )
        evaluation = self._copy(
            "CopyEvaluation",
            source=f"{run}/evaluation/evaluation.json', $.run.key, $$.Execution.Name)",
            file="evaluation.json",
        )
        approve = self._approve()
        approve.next(self._answer(answer))
        return (
            sfn.Choice(self, "IsItNew")
            .when(sfn.Condition.boolean_equals("$.evaluated.is_new", True), model.next(evaluation).next(approve))
            .otherwise(approve)
        )

    def _copy(self, construct_id: str, *, source: str, file: str) -> tasks.CallAwsService:
        return self._call(
            construct_id,
            service="s3",
            action="copyObject",
            parameters={
                "Bucket": self._bucket.bucket_name,
                "CopySource.$": source,
                "Key.$": f"States.Format('models/{{}}/{file}', $.run.key)",
            },
            iam_action="s3:PutObject",
            iam_resources=self._objects(f"models/*/{file}"),
            additional_iam_statements=[
                iam.PolicyStatement(actions=["s3:GetObject"], resources=self._objects(f"runs/*/{file}"))
            ],
            result_path=sfn.JsonPath.DISCARD,
        )

    def _approve(self) -> tasks.CallAwsService:
        url = f"States.Format('s3://{self._bucket.bucket_name}/models/{{}}/model.tar.gz', $.run.key)"
        return self._call(
            "Approve",
            service="ssm",
            action="putParameter",
            parameters={"Name": self._approved_parameter, "Type": "String", "Overwrite": True, "Value.$": url},
            iam_resources=[
                Stack.of(self).format_arn(
                    service="ssm", resource="parameter", resource_name=self._approved_parameter.lstrip("/")
                )
            ],
            result_path=sfn.JsonPath.DISCARD,
        )

    def _answer(self, answer: lambda_.IFunction) -> sfn.Choice:
        done = sfn.Succeed(self, "Approved")
        url = f"States.Format('s3://{self._bucket.bucket_name}/models/{{}}/model.tar.gz', $.run.key)"
        tell = tasks.LambdaInvoke(
            self,
            "AnswerSuccess",
            lambda_function=answer,
            payload=sfn.TaskInput.from_object({"cloudformation.$": "$.cloudformation", "model_data_url.$": url}),
            result_path=sfn.JsonPath.DISCARD,
        )
        return (
            sfn.Choice(self, "DidADeployAskForIt")
            .when(sfn.Condition.is_present("$.cloudformation"), tell.next(done))
            .otherwise(done)
        )

    def _call(self, construct_id: str, **call: Any) -> tasks.CallAwsService:
        """Return a call of an AWS API, bounded in time, retried, and with its failures explained."""
        task = tasks.CallAwsService(self, construct_id, task_timeout=sfn.Timeout.duration(CALL_TIMEOUT), **call)
        task.add_retry(max_attempts=2, interval=Duration.seconds(2), errors=["States.TaskFailed"])
        self._failure.catch(task)
        return task

    def _objects(self, *keys: str) -> list[str]:
        return [self._bucket.arn_for_objects(key) for key in keys]


def _options(**paths: str) -> list[str]:
    """Return command-line options whose values are folders below /opt/ml/processing."""
    return [part for name, path in paths.items() for part in (f"--{name}", f"{PROCESSING}/{path}")]
