"""Follows one variant: what it saw of it, what the engine decided, and the record of both.

No clock and no API here: a tick is handed in, a decision comes out, so that a recorded run can be decided again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoscaling.alarms import Alarm, AlarmState, Reading, alarms_of, evaluate
from autoscaling.delays import Delays
from autoscaling.engine import Decision, ScalerState, decide, finish_activity
from autoscaling.policies import Metric, ScheduledAction, Statistic, VariantScaling, policy_name
from autoscaling.replay import RecordedTick, while_busy


@dataclass(frozen=True)
class Sighting:
    """What is to be seen of a variant at one tick.

    Parameters
    ----------
    metrics : dict of Metric to float
        Of the interval that ended now.
    in_service, desired : int
        Instances, as DescribeEndpoint tells.
    steady : bool
        The endpoint is InService: nobody is updating it.
    """

    metrics: dict[Metric, float]
    in_service: int
    desired: int
    steady: bool


class Follower:
    """The scaler of one variant under one set of policies.

    Alarms see only what happened since the policies were put on: a follower starts with none of the older metrics.

    Parameters
    ----------
    scaling : VariantScaling
        Policies and first bounds.
    desired : int
        Capacity to begin with.
    delays : Delays
        Publication lag and action delay.
    """

    def __init__(self, scaling: VariantScaling, desired: int, delays: Delays) -> None:
        self.scaling = scaling
        self.delays = delays
        self.alarms = alarms_of(scaling)
        self.tick_seconds = 10.0 if any(alarm.period_seconds < 60 for alarm in self.alarms) else 60.0
        self.state = ScalerState(desired, scaling.min_capacity, scaling.max_capacity)
        self.readings = [Reading() for _ in self.alarms]
        self.recorded: list[RecordedTick] = []
        self._history: dict[Metric, list[float]] = {alarm.metric: [] for alarm in self.alarms}
        self._lag = round(delays.publication_lag_seconds / self.tick_seconds)

    def set_bounds(self, minimum: int, maximum: int) -> None:
        """Take over bounds that somebody registered."""
        if (minimum, maximum) != (self.state.min_capacity, self.state.max_capacity):
            self.state = self.state._replace(min_capacity=minimum, max_capacity=maximum, bounds_set_by=None)

    def look(self, sighting: Sighting, due: Sequence[ScheduledAction] = ()) -> Decision:
        """Decide at the next tick."""
        tick = len(self.recorded)
        now = tick * self.tick_seconds
        if tick:
            for metric, values in self._history.items():
                values.append(sighting.metrics[metric])
        finished = self._finish(sighting, now)
        busy = self.state.activity is None and not sighting.steady
        if self.state.activity is None and sighting.steady:
            self.state = self.state._replace(capacity=sighting.desired)
        before = self.state
        self.readings = [self._read(alarm, last, tick) for alarm, last in zip(self.alarms, self.readings, strict=True)]
        decision = decide(self.alarms, while_busy(before, now) if busy else before, self.readings, now, due)
        self.state = decision.state._replace(activity=None) if busy else decision.state
        self.recorded.append(
            RecordedTick(
                capacity=before.capacity,
                min_capacity=before.min_capacity,
                max_capacity=before.max_capacity,
                outcome=decision.outcome.value,
                desired=decision.capacity,
                cause=decision.cause,
                metrics={metric: values[-1] for metric, values in self._history.items()} if tick else {},
                finished=finished,
                busy=busy,
                due=tuple(policy_name(action) for action in due),
                in_service=sighting.in_service,
            )
        )
        return decision

    def _finish(self, sighting: Sighting, now: float) -> bool | None:
        """End the activity on its way when the endpoint is InService again; whether it brought its instances."""
        if self.state.activity is None or not sighting.steady:
            return None
        succeeded = sighting.in_service == sighting.desired == self.state.activity.desired
        self.state = finish_activity(self.state, now, succeeded=succeeded)
        return succeeded

    def _read(self, alarm: Alarm, last: Reading, tick: int) -> Reading:
        ticks_a_period = round(alarm.period_seconds / self.tick_seconds)
        published = max((tick - self._lag) // ticks_a_period, 0)
        first = max(published - 2 * alarm.evaluation_periods - 2, 0)  # more than the alarm looks at
        values = self._history[alarm.metric]
        datapoints = [
            _statistic(alarm.statistic, values[index * ticks_a_period : (index + 1) * ticks_a_period])
            for index in range(first, published)
        ]
        return evaluate(
            alarm,
            datapoints,
            newest_start=(published - 1) * alarm.period_seconds,
            now=tick * self.tick_seconds,
            previous=last,
            action_delay_seconds=self.delays.action_delay_seconds,
        )


def _statistic(statistic: Statistic, values: Sequence[float]) -> float:
    if statistic == "sum":
        return sum(values)
    if statistic == "average":
        return sum(values) / len(values)
    return max(values) if statistic == "maximum" else min(values)


def explain(alarm: Alarm, reading: Reading) -> str:
    """Return an alarm's state reason, as CloudWatch words it."""
    if reading.state is AlarmState.INSUFFICIENT_DATA:
        return "Insufficient Data: the alarm is younger than its evaluation periods."
    crossed = "" if reading.state is AlarmState.ALARM else "not all "
    return (
        f"Threshold Crossed: {crossed}{alarm.datapoints_to_alarm} of the last {alarm.evaluation_periods} datapoints "
        f"were {alarm.comparison.replace('_', ' ')} the threshold ({alarm.threshold:g})."
    )
