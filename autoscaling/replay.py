"""Decide again what a live scaler decided, from what it recorded: the simulator's way, tick by tick.

A live scaler evaluates alarms on what CloudWatch has; the simulator follows them with
:class:`autoscaling.alarm_watch.AlarmWatch`. The same metrics must give the same decisions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autoscaling.alarm_watch import AlarmWatch, Series
from autoscaling.alarms import alarms_of
from autoscaling.delays import Delays
from autoscaling.engine import Activity, Decision, ScalerState, decide, finish_activity
from autoscaling.policies import Metric, VariantScaling, policy_name


@dataclass(frozen=True, slots=True)
class RecordedTick:
    """What a live scaler saw and decided at one tick.

    Parameters
    ----------
    metrics
        Of the interval that ended at this tick; empty at the first one.
    capacity, min_capacity, max_capacity
        Desired capacity and bounds before the decision.
    finished
        Whether the activity on its way succeeded, if it ended since the tick before; else None.
    busy
        Somebody else is updating the endpoint.
    due
        Names of the scheduled actions that became due.
    outcome, desired, cause
        The decision.
    in_service
        Instances in service; not needed to decide.
    """

    capacity: int
    min_capacity: int
    max_capacity: int
    outcome: str
    desired: int
    cause: str
    metrics: Mapping[Metric, float] = field(default_factory=dict)
    finished: bool | None = None
    busy: bool = False
    due: tuple[str, ...] = ()
    in_service: int = 0

    def agrees_with(self, decision: Decision) -> bool:
        """Whether the recorded decision is this one: outcome, capacity and cause."""
        return (self.outcome, self.desired, self.cause) == (decision.outcome.value, decision.capacity, decision.cause)


def decide_anew(
    scaling: VariantScaling, recorded: Sequence[RecordedTick], *, tick_seconds: float, delays: Delays
) -> list[Decision]:
    """Decide at every recorded tick.

    Parameters
    ----------
    scaling
        The policies that were followed.
    recorded
        From the moment the policies were put on.
    tick_seconds, delays
        Of the recorded run; provisioning is as it was recorded.

    Returns
    -------
    list of Decision
        One for each tick.
    """
    if not recorded:
        return []
    watches = _watches(scaling, recorded, tick_seconds, delays)
    actions = {policy_name(action): action for action in scaling.scheduled_actions}
    first = recorded[0]
    state = ScalerState(first.capacity, first.min_capacity, first.max_capacity)
    decisions = []
    for tick, seen in enumerate(recorded):
        now = tick * tick_seconds
        if seen.finished is not None:
            state = finish_activity(state, now, succeeded=seen.finished)
        state = state._replace(capacity=seen.capacity, min_capacity=seen.min_capacity, max_capacity=seen.max_capacity)
        for watch in watches:
            if tick >= watch.until:
                watch.look(tick)
        readings = [watch.reading(tick) for watch in watches]
        alarms = [watch.alarm for watch in watches]
        due = [actions[name] for name in seen.due]
        decision = decide(alarms, while_busy(state, now) if seen.busy else state, readings, now, due)
        state = decision.state._replace(activity=None) if seen.busy else decision.state
        decisions.append(decision)
    return decisions


def while_busy(state: ScalerState, now: float) -> ScalerState:
    """State in which nothing can scale because somebody else is updating the endpoint.

    Parameters
    ----------
    state
        Without activity.
    now
        Time, in seconds.

    Returns
    -------
    ScalerState
        With an activity that changes nothing; to be taken out of the decision's state again.
    """
    return state._replace(activity=Activity(now, state.capacity, state.capacity, None))


def _watches(
    scaling: VariantScaling, recorded: Sequence[RecordedTick], tick_seconds: float, delays: Delays
) -> list[AlarmWatch]:
    return [
        AlarmWatch(
            alarm,
            Series([seen.metrics[alarm.metric] for seen in recorded[1:]]),
            tick_seconds=tick_seconds,
            lag_ticks=round(delays.publication_lag_seconds / tick_seconds),
            action_delay_seconds=delays.action_delay_seconds,
        )
        for alarm in alarms_of(scaling)
    ]
