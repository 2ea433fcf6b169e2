"""The training workflow: preprocess, train, evaluate, gate, promote; one path for every failure, and it says why.

    Prepare -> Approved before? --yes------------------------------.
                   | no                                            v
      Preprocess -> Train or Tune -> Evaluate -> ReadEvaluation -> Gate -> Promote -> Answer

A retraining passes a second gate, the comparison with what is served (`ServedComparison`). An execution's `mode` is
`deploy`, `retrain` or `promote`; the last takes a model that was approved before and trains nothing.
A run's files live below `runs/<key>/<execution>/`. Promotion copies the model to `models/<key>/`, its evaluation last:
an evaluation there means the model is complete. A model of an algorithm without labels has no evaluation and passes no
gate. Then the parameter `model/approved` names it.
"""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from config.training import Training
from stacks.constructs.acknowledgements import acknowledge_wildcards
from stacks.constructs.aws_call import aws_call
from stacks.constructs.failure_path import FailurePath
from stacks.constructs.gate import Gate
from stacks.constructs.images import Images
from stacks.constructs.job_states import job_statements
from stacks.constructs.model_registry import ServedForm
from stacks.constructs.promotion import Promotion
from stacks.constructs.protection import Protection
from stacks.constructs.rollout import ServingUpdate
from stacks.constructs.served_comparison import ServedComparison
from stacks.constructs.training_images import hosting_image
from stacks.constructs.training_jobs import TrainingJobs
from stacks.constructs.training_script import TrainingScript
from stacks.constructs.tuning_job import tuning_statements
from stacks.naming import Naming

ARTIFACT = "train/{job}/output/model.tar.gz"  # what a training job writes, below its run's prefix
CONTENT_TYPES = ("text/csv", "application/json", "application/jsonlines")  # the last one is Linear Learner's alone
SCRIPTED_ARTIFACT = "packed/model.tar.gz"  # that with the script in it, as it was evaluated


class TrainingWorkflow(Construct):
    """The state machine of one environment.

    Parameters
    ----------
    script : TrainingScript, optional
        What trains instead of an algorithm.
    serving : ServingUpdate
        How a run outside a deploy updates the serving stack.
    answer : IFunction
        Tells CloudFormation how a run ended, where a deploy asked for it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        training: Training,
        script: TrainingScript | None,
        images: Images,
        bucket: s3.IBucket,
        job_role: iam.IRole,
        serving: ServingUpdate,
        answer: lambda_.IFunction,
        protection: Protection,
    ) -> None:
        super().__init__(scope, construct_id)
        self._naming = naming
        self._training = training
        self._bucket = bucket
        self._serving = serving
        self._wildcards = {f"{answer.function_arn}:*": "the CDK lets a task invoke the versions of its function too"}
        self._failure = FailurePath(self, "Failure", answer=answer)
        self._jobs = TrainingJobs(
            self,
            "Jobs",
            prefix=naming.prefix,
            training=training,
            script=script,
            images=images,
            role=job_role,
            protection=protection,
            failure=self._failure,
        ).chain
        accepted = self._promotion(answer, images)
        self._judged = self._gates(accepted) if training.learner.labelled else accepted
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            definition_body=sfn.DefinitionBody.from_chainable(self._definition()),
            comment="preprocess, train, evaluate, gate, promote",
            logs=sfn.LogOptions(destination=self._logs(), level=sfn.LogLevel.ALL, include_execution_data=True),
            tracing_enabled=True,
        )
        self._grant_jobs(job_role)
        protection.let_use_key(self.state_machine, "Decrypt", "GenerateDataKey")  # it copies models, reads evaluations

    def _promotion(self, answer: lambda_.IFunction, images: Images) -> sfn.Choice:
        training = self._training
        promotion = Promotion(
            self,
            "Promotion",
            naming=self._naming,
            bucket=self._bucket,
            served=ServedForm(
                image_uri=images.uri(hosting_image(training, training.instance_type)),
                content_types=CONTENT_TYPES if training.is_linear_learner else CONTENT_TYPES[:2],
                is_evaluated=training.learner.labelled,
            ),
            artifact=SCRIPTED_ARTIFACT if training.script else ARTIFACT,
            serving=self._serving,
            answer=answer,
            failure=self._failure,
        )
        self._wildcards |= promotion.wildcards
        return promotion.start

    def _gates(self, passed: sfn.Choice) -> sfn.IChainable:
        """Return the first state of the gate and, for retrainings, of the comparison with what is served."""
        comparison = ServedComparison(
            self,
            "ServedComparison",
            naming=self._naming,
            gate=self._training.gate,
            bucket=self._bucket,
            passed=passed,
            failure=self._failure,
        )
        gate = Gate(
            self,
            "Gate",
            settings=self._training.gate,
            bucket=self._bucket,
            passed=comparison.start,
            failure=self._failure,
        )
        self._wildcards |= gate.wildcards
        return gate.start

    def _grant_jobs(self, job_role: iam.IRole) -> None:
        statements = job_statements(self, self._naming.prefix, job_role)
        if self._training.tuning:
            statements += tuning_statements(self, self._naming.prefix)
        for statement in statements:
            self.state_machine.add_to_role_policy(statement)
        patterns = [arn for statement in statements for arn in statement.resources if arn.endswith("*")]
        acknowledge_wildcards(
            self.state_machine,
            {
                **self._wildcards,
                **dict.fromkeys(patterns, "a job's name ends with the run and the attempt"),
                "*": "log deliveries and X-Ray know no resource (Service Authorization Reference, both services)",
            },
        )

    def _logs(self) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "Logs",
            # With this prefix the account's log resource policies do not grow (Step Functions, "Logging").
            log_group_name=f"/aws/vendedlogs/states/{self._naming.prefix}-training",
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _definition(self) -> sfn.IChainable:
        known = self._take("TakeApprovedModel", f"States.Format('{self._complete}', $.run.key)", is_new=False)
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
                .when(was_approved, known.next(self._judged))
                .when(
                    sfn.Condition.string_equals("$.mode", "promote"),
                    self._failure.refuse("NothingToPromote", "States.Format('no model {} was approved', $.run.key)"),
                )
                .otherwise(self._jobs.next(new).next(self._judged))
            )
        )

    @property
    def _complete(self) -> str:
        """Key of what promotion copies last, so that its being there means that the model is complete."""
        return f"models/{{}}/{'evaluation.json' if self._training.learner.labelled else 'model.tar.gz'}"

    def _prepare(self) -> sfn.Pass:
        # executions started by a schedule have UUIDs for names; their first part leaves room for the rest of a job's
        short_name = "States.ArrayGetItem(States.StringSplit($$.Execution.Name, '-'), 0)"
        bucket = f"s3://{self._bucket.bucket_name}"
        return sfn.Pass(
            self,
            "Prepare",
            parameters={
                "name.$": f"States.Format('{self._naming.prefix}-{{}}', {short_name})",
                "output.$": f"States.Format('{bucket}/runs/{{}}/{{}}', $.run.key, $$.Execution.Name)",
                "model_data_url.$": f"States.Format('{bucket}/models/{{}}/model.tar.gz', $.run.key)",
                "attempt": 0,
            },
            result_path="$.job",
        )

    def _find_approved(self) -> tasks.CallAwsService:
        return aws_call(
            self,
            "FindApprovedModel",
            failure=self._failure,
            service="s3",
            action="listObjectsV2",
            parameters={
                "Bucket": self._bucket.bucket_name,
                "Prefix.$": f"States.Format('{self._complete}', $.run.key)",
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
