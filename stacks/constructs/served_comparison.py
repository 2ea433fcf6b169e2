"""The second gate of a retraining: its model must not be worse than the one that is served, but for a margin.

    Gate -> IsItARetraining -> ReadServed -> ReadServedEvaluation -> IsItGoodEnough -> Promotion
                  | no              | nothing is served                     | no
                  '-----------------'------------> Promotion                '-> fail

A deploy is not compared: who changes the settings wants their model. Promoting an earlier model is not compared either.
"""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from config.training import Gate
from stacks.constructs.aws_call import aws_call
from stacks.constructs.failure_path import FailurePath
from stacks.naming import Naming


class ServedComparison(Construct):
    """States between the gate and the promotion; `start` is the first of them.

    Parameters
    ----------
    passed : IChainable
        Where a model goes that is good enough.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        gate: Gate,
        bucket: s3.IBucket,
        passed: sfn.Choice,
        failure: FailurePath,
    ) -> None:
        super().__init__(scope, construct_id)
        self._gate = gate
        self._bucket = bucket
        self._failure = failure
        self._passed = passed
        read = self._read_served(naming)
        read.next(self._is_any_served())
        is_retraining = sfn.Condition.string_equals("$.mode", "retrain")
        self.start = sfn.Choice(self, "IsItARetraining").when(is_retraining, read).otherwise(passed)

    def _read_served(self, naming: Naming) -> sfn.TaskStateBase:
        name = naming.served_model_parameter
        arn = Stack.of(self).format_arn(service="ssm", resource="parameter", resource_name=name.lstrip("/"))
        return aws_call(
            self,
            "ReadServed",
            failure=self._failure,
            service="ssm",
            action="getParameters",  # the plural knows no error for a parameter that is not there
            parameters={"Names": [name]},
            iam_resources=[arn],
            result_selector={"uris.$": "$.Parameters[*].Value"},
            result_path="$.served",
        )

    def _is_any_served(self) -> sfn.Choice:
        # .../models/<key>/model.tar.gz: the key is the last but one part
        parts = sfn.Pass(
            self,
            "SplitServed",
            parameters={"parts.$": "States.StringSplit($.served.uris[0], '/')"},
            result_path="$.served",
        )
        key = "States.ArrayGetItem($.served.parts, States.MathAdd(States.ArrayLength($.served.parts), -2))"
        read = aws_call(
            self,
            "ReadServedEvaluation",
            service="s3",
            action="getObject",
            parameters={
                "Bucket": self._bucket.bucket_name,
                "Key.$": f"States.Format('models/{{}}/evaluation.json', {key})",
            },
            iam_resources=[self._bucket.arn_for_objects("models/*/evaluation.json")],
            result_selector={"metrics.$": "States.StringToJson($.Body)"},
            result_path="$.served",
        )
        read.add_retry(max_attempts=2, errors=["States.TaskFailed"])
        read.add_catch(self._passed, errors=["S3.NoSuchKeyException"], result_path=sfn.JsonPath.DISCARD)
        self._failure.catch(read)
        parts.next(read).next(self._is_good_enough())
        is_served = sfn.Condition.is_present("$.served.uris[0]")
        return sfn.Choice(self, "IsAnyServed").when(is_served, parts).otherwise(self._passed)

    def _is_good_enough(self) -> sfn.Choice:
        metric, margin = self._gate.metric, self._gate.margin
        new, old = f"$states.input.evaluation.metrics.{metric}", f"$states.input.served.metrics.{metric}"
        higher_is_better = self._gate.at_least is not None
        holds = f"{new} >= {old} - {margin}" if higher_is_better else f"{new} <= {old} + {margin}"
        reason = (
            f"States.Format('the served model stays: {metric} is {{}} for the new one and {{}} for the served one, "
            f"a margin of {margin} is allowed', $.evaluation.metrics.{metric}, $.served.metrics.{metric})"
        )
        return (
            sfn.Choice.jsonata(self, "IsItGoodEnough")  # JSONPath's conditions cannot subtract
            .when(sfn.Condition.jsonata(f"{{% {holds} %}}"), self._passed)
            .otherwise(self._failure.refuse("ServedIsBetter", reason))
        )
