"""CloudWatch's alarms on endpoints: evaluated once a minute, so that DescribeAlarms tells how they stand.

Only alarms on one metric that this room publishes: those of scaling policies are the followers', and an expression over
several metrics is evaluated by nobody. No action is executed; who acts on an alarm here looks at its state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from autoscaling.alarms import COMPARISONS, EXTRA_DATAPOINTS, AlarmState, state_of
from autoscaling.policies import MissingData
from sandbox.clock import moment
from sandbox.runtime import Runtime
from sandbox.scaler.deployed import COMPARISON_OPERATORS, MISSING, all_alarms
from sandbox.scaler.metrics import INSTANCE_NAMESPACE, INVOCATION_NAMESPACE

OF_SCALING = "arn:aws:autoscaling:"


@dataclass(frozen=True)
class MetricAlarm:
    """An alarm of DescribeAlarms, as far as its state depends on it."""

    described: Mapping[str, Any]

    @property
    def evaluation_periods(self) -> int:
        """How many datapoints are looked at."""
        return int(self.described["EvaluationPeriods"])

    @property
    def datapoints_to_alarm(self) -> int:
        """How many of them must be beyond the threshold."""
        return int(self.described.get("DatapointsToAlarm") or self.evaluation_periods)

    @property
    def missing_data(self) -> MissingData:
        """What a missing one counts as."""
        came = self.described.get("TreatMissingData") or "missing"
        return MISSING.get(came) or cast("MissingData", came)

    def is_breached_by(self, value: float) -> bool:
        """Whether a datapoint is beyond the threshold."""
        compare = COMPARISONS[COMPARISON_OPERATORS[self.described["ComparisonOperator"]]]
        return bool(compare(value, self.described["Threshold"]))

    @property
    def window(self) -> timedelta:
        """How far back it looks."""
        return timedelta(seconds=int(self.described["Period"])) * (self.evaluation_periods + EXTRA_DATAPOINTS)


class AlarmStates:
    """Evaluates alarms through CloudWatch's API."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def evaluate(self, now: float) -> None:
        """Bring every alarm's state up to date with what was published for the time before `now`."""
        alarms = list(_on_endpoints(all_alarms(self._runtime)))
        for alarm, datapoints in zip(alarms, self._datapoints(alarms, now), strict=True):
            current = AlarmState(alarm.described["StateValue"])
            state = state_of(alarm, datapoints, current)
            if state is not current:
                self._runtime.client("cloudwatch").set_alarm_state(
                    AlarmName=alarm.described["AlarmName"],
                    StateValue=state.value,
                    StateReason=f"datapoints, oldest first: {datapoints}; threshold {alarm.described['Threshold']}",
                )

    def _datapoints(self, alarms: list[MetricAlarm], now: float) -> Iterator[list[float | None]]:
        """Yield each alarm's datapoints, oldest first, None where there is none."""
        if not alarms:
            return
        end = moment(now)
        answer = self._runtime.client("cloudwatch").get_metric_data(
            MetricDataQueries=[_query(f"m{number}", alarm) for number, alarm in enumerate(alarms)],
            StartTime=end - max(alarm.window for alarm in alarms),
            EndTime=end,
        )
        for alarm, found in zip(alarms, answer["MetricDataResults"], strict=True):
            period = timedelta(seconds=int(alarm.described["Period"]))
            values = dict(zip(found["Timestamps"], found["Values"], strict=True))
            starts = [end - period * back for back in range(alarm.window // period, 0, -1)]
            yield [
                next((value for time, value in values.items() if start <= time < start + period), None)
                for start in starts
            ]


def _on_endpoints(described: list[dict[str, Any]]) -> Iterator[MetricAlarm]:
    for alarm in described:
        of_scaling = any(arn.startswith(OF_SCALING) for arn in alarm.get("AlarmActions", []))
        if alarm.get("Namespace") in {INVOCATION_NAMESPACE, INSTANCE_NAMESPACE} and not of_scaling:
            yield MetricAlarm(alarm)


def _query(identifier: str, alarm: MetricAlarm) -> dict[str, Any]:
    described = alarm.described
    return {
        "Id": identifier,
        "MetricStat": {
            "Metric": {
                "Namespace": described["Namespace"],
                "MetricName": described["MetricName"],
                "Dimensions": described["Dimensions"],
            },
            "Period": int(described["Period"]),
            "Stat": described.get("ExtendedStatistic") or described["Statistic"],
        },
    }
