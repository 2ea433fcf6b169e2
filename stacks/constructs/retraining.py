"""Retraining without a deploy: by the clock, by new data, and what tells people how it went."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from config.retraining import Retraining as RetrainingSettings
from stacks.constructs.acknowledgements import acknowledge_wildcards
from stacks.constructs.lambda_function import LambdaFunction
from stacks.naming import Naming

ENDINGS = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]


class Retraining(Construct):
    """Starts the training workflow in mode `retrain`; `topic` tells how every run of the workflow ends.

    Parameters
    ----------
    key : IKey or None
        Encrypts the topic.
    train_uri : str, optional
        S3 prefix of the training records, where they are in S3.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        settings: RetrainingSettings,
        machine: sfn.IStateMachine,
        key: kms.IKey | None,
        train_uri: str | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._naming = naming
        self._settings = settings
        self._machine = machine
        self._train_uri = train_uri
        self._schedule_name = f"{naming.prefix}-retraining"
        self._function = self._make_function()
        if settings.schedule:
            clock = events.Rule(self, "Clock", schedule=events.Schedule.expression(settings.schedule))
            clock.add_target(targets.LambdaFunction(self._function))
        if settings.on_new_data:
            self._follow_uploads()
        self.topic = self._tell(key)

    def _make_function(self) -> LambdaFunction:
        role = iam.Role(self, "ScheduleRole", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"))
        environment = {
            "STATE_MACHINE_ARN": self._machine.state_machine_arn,
            "RUN_PARAMETER": self._naming.training_run_parameter,
            "SCHEDULE_NAME": self._schedule_name,
            "SCHEDULE_ROLE_ARN": role.role_arn,
            "DEBOUNCE_SECONDS": str(self._settings.debounce_seconds),
            **({"TRAIN_URI": self._train_uri} if self._train_uri else {}),
        }
        function = LambdaFunction(
            self,
            "Function",
            source="retraining",
            description="Starts retrainings, one at a time.",
            environment=environment,
            timeout=Duration.minutes(1),
        )
        self._machine.grant_start_execution(function)
        for statement in self._statements(role):
            function.add_to_role_policy(statement)
        function.grant_invoke(role)
        acknowledge_wildcards(role, {f"{function.function_arn}:*": "the CDK lets the versions be invoked too"})
        return function

    def _statements(self, schedule_role: iam.IRole) -> list[iam.PolicyStatement]:
        stack = Stack.of(self)
        schedule = stack.format_arn(
            service="scheduler", resource="schedule", resource_name=f"default/{self._schedule_name}"
        )
        run = self._naming.training_run_parameter
        parameter = stack.format_arn(service="ssm", resource="parameter", resource_name=run.lstrip("/"))
        wanted = {
            "states:ListExecutions": self._machine.state_machine_arn,
            "ssm:GetParameter": parameter,
            "scheduler:CreateSchedule": schedule,
            "scheduler:UpdateSchedule": schedule,
            "iam:PassRole": schedule_role.role_arn,
        }
        if self._train_uri:
            wanted["s3:ListBucket"] = f"arn:{stack.partition}:s3:::{_bucket(self._train_uri)}"
        return [iam.PolicyStatement(actions=[action], resources=[arn]) for action, arn in wanted.items()]

    def _follow_uploads(self) -> None:
        assert self._train_uri, "settings let on_new_data pass without an S3 prefix"
        prefix = self._train_uri.removeprefix("s3://").partition("/")[2]
        pattern = events.EventPattern(
            source=["aws.s3"],
            detail_type=["Object Created"],
            detail={"bucket": {"name": [_bucket(self._train_uri)]}, "object": {"key": [{"prefix": prefix}]}},
        )
        uploads = events.Rule(self, "Uploads", event_pattern=pattern)
        uploads.add_target(targets.LambdaFunction(self._function))

    def _tell(self, key: kms.IKey | None) -> sns.Topic:
        topic = sns.Topic(self, "Topic", enforce_ssl=True, master_key=key)  # the rule's target lets EventBridge publish
        for address in self._settings.notify:
            topic.add_subscription(subscriptions.EmailSubscription(address))
        ended = events.EventPattern(
            source=["aws.states"],
            detail_type=["Step Functions Execution Status Change"],
            detail={"stateMachineArn": [self._machine.state_machine_arn], "status": ENDINGS},
        )
        events.Rule(self, "Ended", event_pattern=ended).add_target(targets.SnsTopic(topic))
        return topic


def _bucket(uri: str) -> str:
    return uri.removeprefix("s3://").partition("/")[0]
