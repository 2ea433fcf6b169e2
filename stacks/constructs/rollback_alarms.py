"""The alarms that SageMaker watches while it moves traffic: one of them going off brings the old fleet back.

They look at the new fleet alone, whose metrics carry the configuration's name. Configuration, alarms, endpoint is no
cycle, because the endpoint's name is known when the template is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from config.deployment import Rollback
from stacks.constructs.alarms import RUNBOOKS
from stacks.constructs.endpoint_metrics import MICROSECONDS_A_MILLISECOND, NewFleetMetrics

RUNBOOK = "an-update-is-rolled-back"
MINUTES, MINUTES_ABOVE = 3, 2  # one minute may be a slow start; config.deployment waits as long as this takes
KINDS = ("errors", "model-errors", "latency")


class RollbackAlarms(Construct):
    """Three alarms a variant.

    Parameters
    ----------
    endpoint_name : str
        A literal; the alarms' names begin with it.
    endpoint_config_name : str
        Of the new fleet; alarms follow it before the endpoint does.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        endpoint_name: str,
        endpoint_config_name: str,
        variants: Sequence[str],
        bounds: Rollback,
    ) -> None:
        super().__init__(scope, construct_id)
        self._endpoint_name = endpoint_name
        self._alarms = []
        for variant in variants:
            metrics = NewFleetMetrics(endpoint_name, variant, endpoint_config_name)
            for kind, metric, threshold, what in _watched(metrics, bounds):
                self._alarms.append(self._alarm(variant, kind, metric, threshold, what))

    @property
    def configuration(self) -> sagemaker.CfnEndpoint.AutoRollbackConfigProperty:
        """What the endpoint is given; it makes the endpoint wait for the alarms."""
        named = [sagemaker.CfnEndpoint.AlarmProperty(alarm_name=alarm.alarm_name) for alarm in self._alarms]
        return sagemaker.CfnEndpoint.AutoRollbackConfigProperty(alarms=named)

    def _alarm(
        self, variant: str, kind: str, metric: cloudwatch.Metric, threshold: float, what: str
    ) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            f"{variant}-{kind}",
            alarm_name=alarm_name(self._endpoint_name, variant, kind),
            alarm_description=f"New fleet of variant {variant}: {what} Runbook: {RUNBOOKS}#{RUNBOOK}",
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=MINUTES,
            datapoints_to_alarm=MINUTES_ABOVE,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,  # between updates there is no new fleet
        )


def alarm_name(endpoint_name: str, variant: str, kind: str) -> str:
    """Return the name of one alarm; a literal, because roles are made before alarms."""
    return f"{endpoint_name}-{variant}-{kind}"


def watch_statement(scope: Construct, endpoint_name: str, variants: Sequence[str]) -> iam.PolicyStatement:
    """Return what the role of a model needs for SageMaker to look at the alarms in its name.

    References
    ----------
    SageMaker developer guide, "Auto-rollback configuration and monitoring", its note on the execution role.
    """
    names = [alarm_name(endpoint_name, variant, kind) for variant in variants for kind in KINDS]
    arns = [
        Stack.of(scope).format_arn(
            service="cloudwatch", resource="alarm", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        for name in names
    ]
    return iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=arns)


def _watched(metrics: NewFleetMetrics, bounds: Rollback) -> Iterator[tuple[str, cloudwatch.Metric, float, str]]:
    """Yield kind, metric, threshold in the metric's unit, and what is the case above it."""
    yield (
        "errors",
        metrics.share("Invocation5XXErrors"),
        bounds.error_share,
        f"more than {bounds.error_share:.1%} of its requests end with a 5xx.",
    )
    yield (
        "model-errors",
        metrics.share("InvocationModelErrors"),
        bounds.model_error_share,
        f"its container refuses or fails more than {bounds.model_error_share:.1%} of its requests.",
    )
    yield (
        "latency",
        metrics.latency_us("p99"),
        bounds.p99_latency_ms * MICROSECONDS_A_MILLISECOND,
        f"one request in a hundred takes longer than {bounds.p99_latency_ms:g} ms in its container.",
    )
