"""Alarms, each with a link to what to do (docs/operations.md)."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

RUNBOOKS = "docs/operations.md"


class Alarms(Construct):
    """Alarms that tell one topic when they go off and when it is over."""

    def __init__(self, scope: Construct, construct_id: str, *, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._action = actions.SnsAction(topic)

    def add(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        *,
        above: float,
        minutes: int,
        what: str,
        runbook: str,
        keeps_state: bool = False,
    ) -> None:
        """Add an alarm.

        Parameters
        ----------
        above : float
            In the metric's unit.
        minutes : int
            How many of the last five (or of as many as this, if more) must lie above.
        keeps_state : bool
            Judge the last datapoint alone, and stay as it is until the next one: for what is measured rarely.
        what : str
            What is the case when it goes off.
        runbook : str
            Heading in docs/operations.md, as its link is written.
        """
        missing = cloudwatch.TreatMissingData.NOT_BREACHING  # no requests, no datapoints
        if keeps_state:
            missing = cloudwatch.TreatMissingData.IGNORE
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1 if keeps_state else max(5, minutes),
            datapoints_to_alarm=minutes,
            treat_missing_data=missing,
            alarm_description=f"{what} Runbook: {RUNBOOKS}#{runbook}",
        )
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)
