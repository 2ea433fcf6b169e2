"""Puts the endpoint to sleep and wakes it by the clock."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from config.sleep import Sleep
from stacks.constructs.acknowledgements import acknowledge_wildcards
from stacks.constructs.endpoint_state import ASLEEP, AWAKE
from stacks.constructs.lambda_function import LambdaFunction


class SleepSchedule(Construct):
    """The function that updates the stack it stands in, and what calls it.

    Parameters
    ----------
    read_parameters : Sequence of str
        ARNs of the SSM parameters that the stack's own parameters name: CloudFormation reads them as the caller.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Sleep,
        endpoint_name: str,
        variants: Sequence[str],
        read_parameters: Sequence[str],
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self._timezone = settings.timezone
        self._function = LambdaFunction(
            self,
            "Function",
            source="endpoint_state",
            description="Puts the endpoint to sleep and wakes it.",
            environment={
                "STACK": stack.stack_id,
                "ENDPOINT_NAME": endpoint_name,
                "VARIANTS": ",".join(variants),
                "IDLE_MINUTES": str(settings.idle_minutes),
            },
        )
        self._role = iam.Role(self, "ScheduleRole", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"))
        self._function.grant_invoke(self._role)
        self._permit(stack, read_parameters)
        for name, expression, state in (("Sleep", settings.sleep_at, ASLEEP), ("Wake", settings.wake_at, AWAKE)):
            if expression:
                self._schedule(name, expression, state)

    def _permit(self, stack: Stack, read_parameters: Sequence[str]) -> None:
        for actions, resources in (
            (["cloudformation:DescribeStacks", "cloudformation:UpdateStack"], [stack.stack_id]),
            (["ssm:GetParameters"], list(read_parameters)),
            (["cloudwatch:GetMetricStatistics"], ["*"]),
        ):
            self._function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=resources))
        acknowledge_wildcards(self._role, {f"{self._function.function_arn}:*": "the CDK lets versions be invoked too"})
        reasons = dict.fromkeys(read_parameters, "the qualifier of the account's bootstrap is not this stack's to know")
        acknowledge_wildcards(
            self._function.execution_role, {**reasons, "*": "cloudwatch:GetMetricStatistics knows no resource"}
        )

    def _schedule(self, name: str, expression: str, state: str) -> None:
        scheduler.CfnSchedule(
            self,
            name,
            schedule_expression=expression,
            schedule_expression_timezone=self._timezone,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self._function.function_arn, role_arn=self._role.role_arn, input=json.dumps({"state": state})
            ),
        )
