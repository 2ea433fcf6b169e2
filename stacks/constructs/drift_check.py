"""The drift check: on its schedule, a job that compares captured requests with the training records, and its metric."""

from __future__ import annotations

from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

from config.data_capture import DataCapture, Drift
from stacks.constructs.acknowledgements import acknowledge_wildcards
from stacks.constructs.aws_call import TIMEOUT, aws_call
from stacks.constructs.dataset import DatasetFile
from stacks.constructs.images import PROCESSING_IMAGE, Images
from stacks.constructs.job_role import metric_statement, read_statements
from stacks.constructs.job_states import PROCESSING, job_state, job_statements, processing_parameters
from stacks.constructs.protection import Protection
from stacks.naming import Naming

NAMESPACE, METRIC, DIMENSION = "SageScale", "LargestPsi", "Environment"
REPORTS = "runs/drift"  # expires as everything below runs/ does


class DriftCheck(Construct):
    """A state machine that a rule starts: captured anything? compare; enough rows? publish the largest index.

    Parameters
    ----------
    train : DatasetFile
        The training records.
    code : Asset
        Archive with the job's code.
    job_role : Role
        What the job runs with.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        settings: Drift,
        capture: DataCapture,
        bucket: s3.IBucket,
        train: DatasetFile,
        code: Asset,
        images: Images,
        job_role: iam.Role,
        protection: Protection,
    ) -> None:
        super().__init__(scope, construct_id)
        self._naming = naming
        self._settings = settings
        self._bucket = bucket
        self._prefix = f"{capture.prefix}/"
        self._protection = protection
        self._let_job_read(job_role)
        run = {"code_uri": code.s3_object_url, "code_file": code.s3_object_key, "train_uri": train.uri}
        self._machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=naming.drift_check,
            definition_body=sfn.DefinitionBody.from_chainable(self._definition(run, images, job_role)),
            comment="captured requests against training records",
            logs=sfn.LogOptions(destination=self._logs(), level=sfn.LogLevel.ALL, include_execution_data=True),
            tracing_enabled=True,
        )
        self._permit(job_role)
        protection.let_use_key(self._machine, "Decrypt")  # it reads reports
        clock = events.Rule(self, "Clock", schedule=events.Schedule.expression(settings.schedule))
        clock.add_target(targets.SfnStateMachine(self._machine))

    def _let_job_read(self, role: iam.Role) -> None:
        captured = self._bucket.arn_for_objects(f"{self._prefix}*")
        for statement in read_statements(self._bucket, captured):
            role.add_to_policy(statement)
        acknowledge_wildcards(role, {captured: "every hour of captured requests has a key of its own"})

    def _logs(self) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/vendedlogs/states/{self._naming.drift_check}",
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _permit(self, job_role: iam.Role) -> None:
        statements = job_statements(self, self._naming.prefix, job_role, kinds=["Processing"])
        for statement in (*statements, metric_statement([NAMESPACE])):
            self._machine.add_to_role_policy(statement)
        patterns = [arn for statement in statements for arn in statement.resources if arn.endswith("*")]
        acknowledge_wildcards(
            self._machine,
            {
                **dict.fromkeys(patterns, "a job's name ends with the run and the attempt"),
                self._bucket.arn_for_objects(f"{REPORTS}/*"): "every run has a report of its own",
                "*": "log deliveries and X-Ray know no resource, PutMetricData has its namespace",
            },
        )

    def _definition(self, run: dict[str, Any], images: Images, job_role: iam.Role) -> sfn.IChainable:
        nothing = sfn.Succeed(self, "NothingCaptured")
        few = sfn.Succeed(self, "TooFewRows")
        published = (
            self._check(images, job_role)
            .next(self._read())
            .next(
                sfn.Choice(self, "AreThereEnough")
                .when(sfn.Condition.boolean_equals("$.report.enough", True), self._publish())
                .otherwise(few)
            )
        )
        found = sfn.Condition.number_greater_than("$.captured.count", 0)
        return (
            self._prepare(run)
            .next(self._find_captured())
            .next(sfn.Choice(self, "WasAnythingCaptured").when(found, published).otherwise(nothing))
        )

    def _prepare(self, run: dict[str, Any]) -> sfn.Pass:
        # executions that a rule starts have UUIDs for names; their first part leaves room for the rest of a job's
        short_name = "States.ArrayGetItem(States.StringSplit($$.Execution.Name, '-'), 0)"
        return sfn.Pass(
            self,
            "Prepare",
            parameters={
                "job": {
                    "name.$": f"States.Format('{self._naming.prefix}-{{}}', {short_name})",
                    "output.$": f"States.Format('s3://{self._bucket.bucket_name}/{REPORTS}/{{}}', $$.Execution.Name)",
                    "attempt": 0,
                },
                "captured_uri": f"s3://{self._bucket.bucket_name}/{self._prefix}",
                "run": run,
            },
        )

    def _find_captured(self) -> sfn.TaskStateBase:
        return self._call(
            "FindCaptured",
            service="s3",
            action="listObjectsV2",
            parameters={"Bucket": self._bucket.bucket_name, "Prefix": self._prefix, "MaxKeys": 1},
            iam_action="s3:ListBucket",
            iam_resources=[self._bucket.bucket_arn],
            result_selector={"count.$": "$.KeyCount"},
            result_path="$.captured",
        )

    def _check(self, images: Images, job_role: iam.Role) -> sfn.CustomState:
        folders = {"train": "input/train", "captured": "input/captured", "output": "output/drift"}
        options = [part for name, path in folders.items() for part in (f"--{name}", f"{PROCESSING}/{path}")]
        return job_state(
            self,
            "Compare",
            action="createProcessingJob",
            parameters=self._protection.job(
                processing_parameters(
                    "drift",
                    job=self._settings.job,
                    image_uri=images.uri(PROCESSING_IMAGE),
                    role_arn=job_role.role_arn,
                    arguments=["drift", *options, "--least-rows", str(self._settings.least_rows)],
                    inputs={"train": "$.run.train_uri", "captured": "$.captured_uri"},
                    outputs={"drift": "drift"},
                )
            ),
            max_runtime_seconds=self._settings.job.max_runtime_seconds,
            result_path=sfn.JsonPath.DISCARD,
        )

    def _read(self) -> sfn.TaskStateBase:
        return self._call(
            "ReadReport",
            service="s3",
            action="getObject",
            parameters={
                "Bucket": self._bucket.bucket_name,
                "Key.$": f"States.Format('{REPORTS}/{{}}/drift/drift.json', $$.Execution.Name)",
            },
            iam_resources=[self._bucket.arn_for_objects(f"{REPORTS}/*")],
            result_selector={"report.$": "States.StringToJson($.Body)"},
        )

    def _publish(self) -> sfn.CustomState:
        """Return the state that publishes; written out, because CallAwsService would allow every namespace."""
        metric = {
            "MetricName": METRIC,
            "Dimensions": [{"Name": DIMENSION, "Value": self._naming.prefix}],
            "Value.$": "$.report.largest.psi",
        }
        publish = sfn.CustomState(
            self,
            "Publish",
            state_json={
                "Type": "Task",
                "Resource": f"arn:{Stack.of(self).partition}:states:::aws-sdk:cloudwatch:putMetricData",
                "Parameters": {"Namespace": NAMESPACE, "MetricData": [metric]},
                "TimeoutSeconds": TIMEOUT.to_seconds(),
                "ResultPath": sfn.JsonPath.DISCARD,
            },
        )
        publish.add_retry(max_attempts=2, errors=["States.TaskFailed"])
        return publish

    def _call(self, construct_id: str, **call: Any) -> sfn.TaskStateBase:
        task = aws_call(self, construct_id, **call)
        task.add_retry(max_attempts=2, errors=["States.TaskFailed"])
        return task
