"""The parameter that names the approved model: how the workflow reads and writes it."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stacks.constructs.aws_call import aws_call
from stacks.constructs.failure_path import FailurePath


class ApprovedParameter:
    """One SSM parameter that CloudFormation reads and does not own.

    Parameters
    ----------
    name : str
        Its full name, with the slash in front.
    """

    def __init__(self, name: str, failure: FailurePath) -> None:
        self.name = name
        self._failure = failure

    def arn(self, scope: Construct) -> str:
        """Return its ARN in the stack of `scope`."""
        return Stack.of(scope).format_arn(service="ssm", resource="parameter", resource_name=self.name.lstrip("/"))

    def write(self, scope: Construct, construct_id: str, value: str) -> tasks.CallAwsService:
        """Return a task that sets it to the expression `value`."""
        return aws_call(
            scope,
            construct_id,
            failure=self._failure,
            service="ssm",
            action="putParameter",
            parameters={"Name": self.name, "Type": "String", "Overwrite": True, "Value.$": value},
            iam_resources=[self.arn(scope)],
            result_path=sfn.JsonPath.DISCARD,
        )

    def read(self, scope: Construct, construct_id: str, result_path: str) -> tasks.CallAwsService:
        """Return a task that puts its value at `result_path`, as `values[0]`; none before the first approval."""
        return aws_call(
            scope,
            construct_id,
            failure=self._failure,
            service="ssm",
            action="getParameters",  # the plural knows no error for a parameter that is not there
            parameters={"Names": [self.name]},
            iam_resources=[self.arn(scope)],
            result_selector={"values.$": "$.Parameters[*].Value"},
            result_path=result_path,
        )
