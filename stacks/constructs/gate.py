"""The gate: one metric of a run's evaluation against the bound of the settings.

ReadEvaluation -> Gate --> what follows, or fail with both numbers
"""

from __future__ import annotations

from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from config.training import Gate as GateSettings
from stacks.constructs.aws_call import aws_call, objects
from stacks.constructs.failure_path import FailurePath


class Gate(Construct):
    """States that judge the evaluation at `$.evaluated.key`; `start` is the first of them.

    `wildcards` says which resources the states name by pattern, and why.

    Parameters
    ----------
    passed : IChainable
        Where a model goes that reaches the bound.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: GateSettings,
        bucket: s3.IBucket,
        passed: sfn.IChainable,
        failure: FailurePath,
    ) -> None:
        super().__init__(scope, construct_id)
        evaluations = objects(bucket, "runs/*/evaluation/evaluation.json", "models/*/evaluation.json")
        self.wildcards = dict.fromkeys(evaluations, "every run has a key of its own")
        self.start = aws_call(
            self,
            "ReadEvaluation",
            failure=failure,
            service="s3",
            action="getObject",
            parameters={"Bucket": bucket.bucket_name, "Key.$": "$.evaluated.key"},
            iam_resources=evaluations,
            result_selector={"metrics.$": "States.StringToJson($.Body)"},
            result_path="$.evaluation",
        )
        self.start.next(self._judge(settings, passed, failure))

    def _judge(self, settings: GateSettings, passed: sfn.IChainable, failure: FailurePath) -> sfn.Choice:
        value = f"$.evaluation.metrics.{settings.metric}"
        if settings.at_least is not None:
            passes = sfn.Condition.number_greater_than_equals(value, settings.at_least)
            wanted = f"at least {settings.at_least}"
        else:
            passes = sfn.Condition.number_less_than_equals(value, settings.at_most or 0.0)
            wanted = f"at most {settings.at_most}"
        reason = f"States.Format('the gate refused the model: {settings.metric} is {{}}, {wanted} is wanted', {value})"
        return sfn.Choice(self, "Gate").when(passes, passed).otherwise(failure.refuse("GateRefuses", reason))
