"""CloudWatch alarms as Application Auto Scaling uses them: M of N datapoints, missing data, when the action follows.

Target tracking makes its own two alarms, a step policy brings one. An alarm here knows its policy, so a list of alarms
is all that a scaling decision needs.

References
----------
CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data" (its tables are golden tests); the numbers
of target tracking's alarms were seen on a real endpoint (target 1500: alarms at 1500 and 1350) and are not documented.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from autoscaling.policies import (
    STATISTICS,
    Comparison,
    Metric,
    MissingData,
    Statistic,
    StepScalingPolicy,
    TargetTrackingPolicy,
    VariantScaling,
    policy_name,
)

SCALE_OUT_DATAPOINTS = 3  # target tracking's high alarm: 3 of 3; seen, not documented
SCALE_IN_DATAPOINTS = 15  # target tracking's low alarm: 15 of 15; seen, not documented
SCALE_IN_RATIO = 0.9  # target tracking's low alarm: below 0.9 x target; seen, not documented
STANDARD_PERIOD_SECONDS = 60
HIGH_RESOLUTION_PERIOD_SECONDS = (
    10  # SageMaker emits the high-resolution metric every 10 s; its alarm's period is assumed
)

# CloudWatch looks further back than the evaluation periods to find real datapoints. How far is not documented; in its
# examples the range is two datapoints longer.
EXTRA_DATAPOINTS = 2

COMPARISONS: dict[Comparison, Callable[..., Any]] = {
    "greater_than": operator.gt,
    "greater_than_or_equal": operator.ge,
    "less_than": operator.lt,
    "less_than_or_equal": operator.le,
}


class AlarmState(StrEnum):
    """States in CloudWatch's words."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Rule(Protocol):
    """What decides an alarm's state."""

    @property
    def evaluation_periods(self) -> int:
        """How many datapoints are looked at."""
        ...

    @property
    def datapoints_to_alarm(self) -> int:
        """How many of them must be beyond the threshold."""
        ...

    @property
    def missing_data(self) -> MissingData:
        """What a missing one counts as."""
        ...

    def is_breached_by(self, value: float) -> bool:
        """Whether a datapoint is beyond the threshold."""
        ...


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm of one policy."""

    name: str
    policy: TargetTrackingPolicy | StepScalingPolicy
    role: Literal["scale_out", "scale_in", "step"]
    metric: Metric
    statistic: Statistic
    period_seconds: int
    threshold: float
    comparison: Comparison
    evaluation_periods: int
    datapoints_to_alarm: int
    missing_data: MissingData = "missing"

    def is_breached_by(self, value: float) -> bool:
        """Whether a datapoint is beyond the threshold."""
        return bool(COMPARISONS[self.comparison](value, self.threshold))

    def breaches(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of many datapoints are beyond the threshold."""
        breaching: NDArray[np.bool_] = COMPARISONS[self.comparison](values, self.threshold)
        return breaching


class Reading(NamedTuple):
    """What one evaluation of an alarm found."""

    state: AlarmState = AlarmState.INSUFFICIENT_DATA
    since: float = 0.0
    """When the alarm entered this state, in seconds."""
    firing: bool = False
    """In ALARM for so long that its action is executed now."""
    value: float = 0.0
    """The metric the action sees: target tracking the latest datapoint, a step policy its aggregate over the window."""
    datapoint_start: float = 0.0
    """Start of the latest datapoint's period, in seconds."""


def alarms_of(scaling: VariantScaling) -> tuple[Alarm, ...]:
    """Alarms that a variant's policies create, in order of the policies.

    Parameters
    ----------
    scaling
        The variant's scalable target.

    Returns
    -------
    tuple of Alarm
        For target tracking the high alarm and, unless scale-in is disabled, the low one; for a step policy its own.
    """
    alarms: list[Alarm] = []
    for policy in scaling.scaling_policies:
        alarms += _tracking_alarms(policy) if isinstance(policy, TargetTrackingPolicy) else [_step_alarm(policy)]
    return tuple(alarms)


def _tracking_alarms(policy: TargetTrackingPolicy) -> list[Alarm]:
    high_resolution = policy.metric == "concurrent_requests_per_model"
    high = Alarm(
        name=f"TargetTracking-{policy_name(policy)}-AlarmHigh",
        policy=policy,
        role="scale_out",
        metric=policy.metric,
        statistic=STATISTICS[policy.metric][0],
        period_seconds=HIGH_RESOLUTION_PERIOD_SECONDS if high_resolution else STANDARD_PERIOD_SECONDS,
        threshold=policy.target,
        comparison="greater_than",
        evaluation_periods=SCALE_OUT_DATAPOINTS,
        datapoints_to_alarm=SCALE_OUT_DATAPOINTS,
    )
    if policy.disable_scale_in:
        return [high]
    low = Alarm(
        name=f"TargetTracking-{policy_name(policy)}-AlarmLow",
        policy=policy,
        role="scale_in",
        metric=policy.metric,
        statistic=STATISTICS[policy.metric][0],
        period_seconds=STANDARD_PERIOD_SECONDS,
        threshold=SCALE_IN_RATIO * policy.target,
        comparison="less_than",
        evaluation_periods=SCALE_IN_DATAPOINTS,
        datapoints_to_alarm=SCALE_IN_DATAPOINTS,
    )
    return [high, low]


def _step_alarm(policy: StepScalingPolicy) -> Alarm:
    return Alarm(
        name=f"{policy_name(policy)}-Alarm",
        policy=policy,
        role="step",
        metric=policy.metric,
        statistic=policy.effective_statistic,
        period_seconds=policy.period_seconds,
        threshold=policy.threshold,
        comparison=policy.comparison,
        evaluation_periods=policy.evaluation_periods,
        datapoints_to_alarm=policy.effective_datapoints_to_alarm,
        missing_data=policy.missing_data,
    )


def evaluate(
    alarm: Alarm,
    datapoints: Sequence[float | None],
    *,
    newest_start: float,
    now: float,
    previous: Reading,
    action_delay_seconds: float,
) -> Reading:
    """Evaluate an alarm once.

    Parameters
    ----------
    alarm
        The alarm.
    datapoints
        Published datapoints of the alarm's metric, statistic and period, oldest first; None where one is missing. Fewer
        than the alarm's evaluation periods means that the alarm is younger than its window.
    newest_start
        Start of the newest datapoint's period, in seconds.
    now
        Time of this evaluation, in seconds.
    previous
        What the evaluation before found.
    action_delay_seconds
        How long an alarm is in ALARM before its action is executed (a model parameter; at most one period passes).

    Returns
    -------
    Reading
        State, since when, whether the action is executed now, and the value it sees.
    """
    state = state_of(alarm, datapoints, previous.state)
    since = previous.since if state is previous.state else now
    delay = min(action_delay_seconds, alarm.period_seconds)
    firing = state is AlarmState.ALARM and now - since >= delay
    if not firing:
        return Reading(state, since)
    seen = [(index, value) for index, value in enumerate(datapoints) if value is not None]
    if not seen:  # missing data treated as breaching: an alarm without any value moves nothing
        return Reading(state, since)
    newest_index = seen[-1][0]
    start = newest_start - (len(datapoints) - 1 - newest_index) * alarm.period_seconds
    return Reading(state, since, True, aggregate(alarm, [value for _, value in seen]), start)


def aggregate(alarm: Alarm, values: Sequence[float]) -> float:
    """Metric value that a firing alarm hands to its policy.

    Parameters
    ----------
    alarm
        The alarm.
    values
        Real datapoints, oldest first, at least one.

    Returns
    -------
    float
        For target tracking the latest datapoint (assumed), for steps the policy's aggregate over its window.
    """
    if isinstance(alarm.policy, TargetTrackingPolicy):
        return values[-1]
    window = values[-alarm.evaluation_periods :]
    kind = alarm.policy.metric_aggregation_type
    if kind == "average":
        return sum(window) / len(window)
    return max(window) if kind == "maximum" else min(window)


def state_of(alarm: Rule, datapoints: Sequence[float | None], current: AlarmState) -> AlarmState:
    """Return the state of any alarm, of a scaling policy or not.

    Parameters
    ----------
    alarm
        What it compares, and what it does with missing data.
    datapoints
        As for :func:`evaluate`.
    current
        Its state until now.
    """
    wanted = alarm.evaluation_periods
    if len(datapoints) < wanted:
        return AlarmState.INSUFFICIENT_DATA
    real = [value for value in datapoints[-wanted - EXTRA_DATAPOINTS :] if value is not None]
    breaching = sum(alarm.is_breached_by(value) for value in real[-wanted:])
    filled = max(wanted - len(real), 0)
    if alarm.missing_data == "breaching":
        breaching += filled
    if breaching >= alarm.datapoints_to_alarm:
        return AlarmState.ALARM
    if alarm.missing_data in {"breaching", "not_breaching"} or filled == 0:
        return AlarmState.OK
    if real and breaching < min(alarm.datapoints_to_alarm, len(real)):
        return AlarmState.OK
    if alarm.missing_data == "ignore":
        return current
    return AlarmState.ALARM if real else AlarmState.INSUFFICIENT_DATA
