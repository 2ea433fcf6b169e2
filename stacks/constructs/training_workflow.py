"""The training workflow: preprocess, train, evaluate, gate, promote; one path for every failure, and it says why.

    Prepare -> Approved before? --yes------------------------------.
                   | no                                            v
      Preprocess -> Train or Tune -> Evaluate -> ReadEvaluation -> Gate -> Promote -> Answer

A retraining passes a second gate, the comparison with what is served (`ServedComparison`). An execution's `mode` is
`deploy`, `retrain` or `promote`; the last takes a model that was approved before and trains nothing.
A run's files live below `runs/<key>/<execution>/`. Promotion copies the model to `models/<key>/`, its evaluation last:
an evaluation there means the model is complete. Then the parameter `model/approved` names it.
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

from config.settings import Training
from stacks.constructs.acknowledgements import acknowledge_wildcards
from stacks.constructs.aws_call import aws_call, objects
from stacks.constructs.failure_path import FailurePath
from stacks.constructs.images import LINEAR_LEARNER, Images
from stacks.constructs.job_states import job_statements
from stacks.constructs.lambda_function import RETENTION
from stacks.constructs.promotion import Promotion
from stacks.constructs.served_comparison import ServedComparison
from stacks.constructs.training_jobs import TrainingJobs
from stacks.constructs.tuning_job import tuning_statements
from stacks.naming import Naming


class TrainingWorkflow(Construct):
    """The state machine of one environment.

    Parameters
    ----------
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
        images: Images,
        bucket: s3.IBucket,
        job_role: iam.IRole,
        answer: lambda_.IFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self._prefix = naming.prefix
        self._gate_settings = training.gate
        self._bucket = bucket
        self._evaluations = objects(bucket, "runs/*/evaluation/evaluation.json", "models/*/evaluation.json")
        self._failure = FailurePath(self, "Failure", answer=answer)
        self._jobs = TrainingJobs(
            self,
            "Jobs",
            prefix=naming.prefix,
            training=training,
            images=images,
            role=job_role,
            failure=self._failure,
        ).chain
        promotion = Promotion(
            self,
            "Promotion",
            naming=naming,
            bucket=bucket,
            image_uri=images.uri(LINEAR_LEARNER),
            answer=answer,
            failure=self._failure,
        )
        self._second_gate = ServedComparison(
            self,
            "ServedComparison",
            naming=naming,
            gate=training.gate,
            bucket=bucket,
            passed=promotion.start,
            failure=self._failure,
        ).start
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            definition_body=sfn.DefinitionBody.from_chainable(self._definition()),
            comment="preprocess, train, evaluate, gate, promote",
            logs=sfn.LogOptions(destination=self._logs(), level=sfn.LogLevel.ALL, include_execution_data=True),
            tracing_enabled=True,
        )
        statements = job_statements(self, naming.prefix, job_role)
        if training.tuning:
            statements += tuning_statements(self, naming.prefix)
        for statement in statements:
            self.state_machine.add_to_role_policy(statement)
        patterns = [arn for statement in statements for arn in statement.resources if arn.endswith("*")]
        acknowledge_wildcards(
            self.state_machine,
            {
                **promotion.wildcards,
                **dict.fromkeys(patterns, "a job's name ends with the run and the attempt"),
                **dict.fromkeys(self._evaluations, "every run has a key of its own"),
                f"{answer.function_arn}:*": "the CDK lets a task invoke the versions of its function too",
                "*": "log deliveries and X-Ray know no resource (Service Authorization Reference, both services)",
            },
        )

    def _logs(self) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "Logs",
            # With this prefix the account's log resource policies do not grow (Step Functions, "Logging").
            log_group_name=f"/aws/vendedlogs/states/{self._prefix}-training",
            retention=RETENTION,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _definition(self) -> sfn.IChainable:
        read = self._read_evaluation()
        read.next(self._gate())
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
                .when(
                    sfn.Condition.string_equals("$.mode", "promote"),
                    self._failure.refuse("NothingToPromote", "States.Format('no model {} was approved', $.run.key)"),
                )
                .otherwise(self._jobs.next(new).next(read))
            )
        )

    def _prepare(self) -> sfn.Pass:
        # executions started by a schedule have UUIDs for names; their first part leaves room for the rest of a job's
        short_name = "States.ArrayGetItem(States.StringSplit($$.Execution.Name, '-'), 0)"
        bucket = f"s3://{self._bucket.bucket_name}"
        return sfn.Pass(
            self,
            "Prepare",
            parameters={
                "name.$": f"States.Format('{self._prefix}-{{}}', {short_name})",
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

    def _read_evaluation(self) -> tasks.CallAwsService:
        return aws_call(
            self,
            "ReadEvaluation",
            failure=self._failure,
            service="s3",
            action="getObject",
            parameters={"Bucket": self._bucket.bucket_name, "Key.$": "$.evaluated.key"},
            iam_resources=self._evaluations,
            result_selector={"metrics.$": "States.StringToJson($.Body)"},
            result_path="$.evaluation",
        )

    def _gate(self) -> sfn.Choice:
        gate = self._gate_settings
        value = f"$.evaluation.metrics.{gate.metric}"
        if gate.at_least is not None:
            passes = sfn.Condition.number_greater_than_equals(value, gate.at_least)
            wanted = f"at least {gate.at_least}"
        else:
            passes = sfn.Condition.number_less_than_equals(value, gate.at_most or 0.0)
            wanted = f"at most {gate.at_most}"
        reason = f"States.Format('the gate refused the model: {gate.metric} is {{}}, {wanted} is wanted', {value})"
        return (
            sfn.Choice(self, "Gate")
            .when(passes, self._second_gate)
            .otherwise(self._failure.refuse("GateRefuses", reason))
        )
