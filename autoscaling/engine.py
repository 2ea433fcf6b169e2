"""How Application Auto Scaling decides: a pure function of alarms, state and time.

The simulator and the sandbox's scaler both call :func:`decide` once a minute and :func:`finish_activity` when a change
of capacity has ended; neither holds rules of its own.

What AWS does not document is a choice here, and docs/model.md lists it: target tracking's new capacity is
`ceil(capacity x metric / target)`; while a scale-out cooldown runs, every policy computes from the capacity before the
scale-out that began it and only from datapoints of after it; the cooldown belongs to the scalable target.

References
----------
Application Auto Scaling user guide: "How target tracking works", "How step scaling works", "Scaling activities".
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from autoscaling.adjustment import same_wish, wanted_capacity
from autoscaling.alarms import Alarm, Reading
from autoscaling.policies import ScheduledAction, policy_name

BLOCKED = -1
"""What an alarm that scales out may wish for while a cooldown blocks it."""

Wish = tuple[Alarm, int]
"""A firing alarm and the capacity that it wants, or BLOCKED."""


class Outcome(StrEnum):
    """What a decision was; not-scaled reasons carry AWS's codes."""

    SCALED = "Scaled"
    NO_ALARM = "NoAlarm"
    ALREADY_AT_MAX = "AlreadyAtMaxCapacity"
    ALREADY_AT_MIN = "AlreadyAtMinCapacity"
    ALREADY_AT_DESIRED = "AlreadyAtDesiredCapacity"
    ANTICIPATED_FLAPPING = "AutoScalingAnticipatedFlapping"
    UPDATING = "TargetServicePutResourceAsUnscalable"
    IN_COOLDOWN = "InCooldown"  # ours: AWS has no code for it


class Activity(NamedTuple):
    """A capacity change on its way."""

    started: float
    previous: int
    desired: int
    cooldown_seconds: float | None
    """None where no cooldown follows (scheduled actions)."""


class Cooldown(NamedTuple):
    """A scale-out cooldown: from when to when, and the capacity before the scale-out."""

    started: float
    until: float
    base: int


class ScalerState(NamedTuple):
    """All that Application Auto Scaling remembers of a scalable target."""

    capacity: int
    """Desired capacity; while an activity is on its way, the one it aims at."""
    min_capacity: int
    max_capacity: int
    activity: Activity | None = None
    scale_out_cooldown: Cooldown | None = None
    scale_in_until: float = -math.inf
    """Scale-in is blocked until this time, in seconds."""
    bounds_set_by: ScheduledAction | None = None
    """The scheduled action that set the bounds last."""


class Decision(NamedTuple):
    """What was decided, why, and the state after it."""

    outcome: Outcome
    state: ScalerState
    previous: int
    """Capacity before the decision."""
    source: Alarm | ScheduledAction | None = None
    """Who asked for it."""

    @property
    def capacity(self) -> int:
        """Desired capacity after the decision."""
        return self.state.capacity

    @property
    def cause(self) -> str:
        """What caused the decision, in the words of DescribeScalingActivities."""
        if isinstance(self.source, Alarm):
            policy = policy_name(self.source.policy)
            return f"monitor alarm {self.source.name} in state ALARM triggered policy {policy}"
        if self.source is None:
            return ""
        bounds = {"minimum": self.source.min_capacity, "maximum": self.source.max_capacity}
        return " and ".join(
            f"{name} capacity was set to {value}" for name, value in bounds.items() if value is not None
        )

    @property
    def description(self) -> str:
        """What the decision does, or why it does nothing."""
        return _DESCRIPTIONS[self.outcome].format(self.state)


_DESCRIPTIONS = {
    Outcome.SCALED: "Setting desired instance count to {0.capacity}.",
    Outcome.NO_ALARM: "",
    Outcome.ALREADY_AT_MAX: "Already at the maximum capacity {0.max_capacity}.",
    Outcome.ALREADY_AT_MIN: "Already at the minimum capacity {0.min_capacity}.",
    Outcome.ALREADY_AT_DESIRED: "Already at the desired capacity {0.capacity}.",
    Outcome.ANTICIPATED_FLAPPING: "Removing an instance would put the metric above its target at once.",
    Outcome.UPDATING: "The endpoint is updating.",
    Outcome.IN_COOLDOWN: "A cooldown is in effect.",
}


def decide(
    alarms: Sequence[Alarm],
    state: ScalerState,
    readings: Sequence[Reading],
    now: float,
    due: Sequence[ScheduledAction] = (),
) -> Decision:
    """Decide once about one scalable target.

    Parameters
    ----------
    alarms
        The variant's alarms, from :func:`autoscaling.alarms.alarms_of`.
    state
        State after the decision before, or after :func:`finish_activity`.
    readings
        One for each alarm, evaluated now.
    now
        Time of the decision, in seconds.
    due
        Scheduled actions that have become due since the decision before, in order.

    Returns
    -------
    Decision
        With the new state. Its capacity lies within its bounds unless an activity was on its way; an activity is added
        only where none was.
    """
    for action in due:
        state = with_bounds(state, action)
    wished = [
        (alarm, wish(alarm, state, reading.value, reading.datapoint_start, now))
        for alarm, reading in zip(alarms, readings, strict=True)
        if reading.firing
    ]
    return answer(alarms, state, wished, now)


def wish(alarm: Alarm, state: ScalerState, value: float, datapoint_start: float, now: float) -> int:
    """Capacity that a firing alarm wants; a running scale-out cooldown counts from the capacity before it.

    Parameters
    ----------
    alarm, state, now
        As in decide.
    value, datapoint_start
        Of the alarm's reading.

    Returns
    -------
    int
        BLOCKED where the alarm wants out, but no further than the cooldown has brought it already.
    """
    wanted = wanted_capacity(alarm, state.capacity, value)
    cooldown = state.scale_out_cooldown
    if cooldown is None or now >= cooldown.until or not _is_outward(alarm, wanted, state):
        return wanted
    if datapoint_start < cooldown.started:
        return BLOCKED
    from_base = wanted_capacity(alarm, cooldown.base, value)
    return from_base if from_base > state.capacity else BLOCKED


def _is_outward(alarm: Alarm, wanted: int, state: ScalerState) -> bool:
    return alarm.role == "scale_out" or (alarm.role == "step" and (wanted > state.capacity or wanted == BLOCKED))


def answer(alarms: Sequence[Alarm], state: ScalerState, wished: Sequence[Wish], now: float) -> Decision:
    """Decide on what the firing alarms wish for.

    Parameters
    ----------
    alarms, state, now
        As in decide.
    wished
        In order of the alarms.

    Returns
    -------
    Decision
        Of decide.
    """
    inside = state.min_capacity <= state.capacity <= state.max_capacity
    if state.activity is not None:
        if inside and not wished:
            return Decision(Outcome.NO_ALARM, state, state.capacity)
        return Decision(Outcome.UPDATING, state, state.capacity, wished[0][0] if wished else state.bounds_set_by)
    if not inside:
        return _scale(state, min(max(state.capacity, state.min_capacity), state.max_capacity), now, None)
    return _follow_alarms(alarms, state, wished, now)


def same_decision(decision: Decision, alarm: Alarm, value: float, *, alone: bool) -> tuple[float, float]:
    """Range of an alarm's values at which a decision that changed nothing is made again.

    Parameters
    ----------
    decision
        The decision, while neither an activity nor a cooldown was on its way.
    alarm, value
        An alarm that was firing, and the value it saw.
    alone
        Whether no other one was.

    Returns
    -------
    tuple of float
        The decision is the same while each alarm that fires stays in its range.
    """
    at_bound = decision.outcome in {Outcome.ALREADY_AT_MAX, Outcome.ALREADY_AT_MIN}
    if at_bound and alone and alarm.role != "step":
        return -math.inf, math.inf
    return same_wish(alarm, decision.previous, value)


def finish_activity(state: ScalerState, now: float, *, succeeded: bool = True) -> ScalerState:
    """End the activity on its way: its cooldown begins, or the old capacity is back.

    Parameters
    ----------
    state
        State with an activity.
    now
        When the endpoint became InService again, in seconds.
    succeeded
        False if the instances never came; no cooldown follows then.

    Returns
    -------
    ScalerState
        State without activity.

    Raises
    ------
    ValueError
        If no activity is on its way.
    """
    activity = state.activity
    if activity is None:
        raise ValueError("no activity is on its way; finish_activity follows a decision that scaled")
    capacity, cooldown, scale_in_until = state.capacity, state.scale_out_cooldown, state.scale_in_until
    if not succeeded:
        capacity = activity.previous
    elif activity.cooldown_seconds is not None:
        until = now + activity.cooldown_seconds
        if activity.desired > activity.previous:
            cooldown = Cooldown(now, until, activity.previous)
        else:
            scale_in_until = until
    # Not _replace: it is slow, and a simulated day has hundreds of activities.
    return ScalerState(
        capacity, state.min_capacity, state.max_capacity, None, cooldown, scale_in_until, state.bounds_set_by
    )


def with_bounds(state: ScalerState, action: ScheduledAction) -> ScalerState:
    """Set the bounds of an action; one that is given alone pushes the other one along rather than cross it."""
    minimum = state.min_capacity if action.min_capacity is None else action.min_capacity
    maximum = state.max_capacity if action.max_capacity is None else action.max_capacity
    if minimum > maximum:
        minimum, maximum = (minimum, minimum) if action.max_capacity is None else (maximum, maximum)
    return state._replace(min_capacity=minimum, max_capacity=maximum, bounds_set_by=action)


def _follow_alarms(alarms: Sequence[Alarm], state: ScalerState, wished: Sequence[Wish], now: float) -> Decision:
    """Scale out if any policy wants it, in only if every target-tracking policy does; the largest capacity wins."""
    out = step_in = tracking_in = idle = None
    low = 0
    for alarm, wanted in wished:
        if alarm.role == "scale_in":
            low += 1
            tracking_in = _larger(tracking_in, wanted, alarm)
        elif _is_outward(alarm, wanted, state):
            out = _larger(out, wanted, alarm)
        elif wanted < state.capacity:
            step_in = _larger(step_in, wanted, alarm)
        else:
            idle = alarm
    if out is not None:
        return _scale_out(state, *out, now)
    inward = step_in
    if tracking_in is not None and low == sum(alarm.role == "scale_in" for alarm in alarms):
        inward = _larger(step_in, *tracking_in)
    if inward is not None:
        return _scale_in(state, *inward, now)
    return Decision(Outcome.ALREADY_AT_DESIRED if idle else Outcome.NO_ALARM, state, state.capacity, idle)


def _larger(best: tuple[int, Alarm] | None, wanted: int, alarm: Alarm) -> tuple[int, Alarm]:
    return (wanted, alarm) if best is None or wanted > best[0] else best


def _scale_out(state: ScalerState, wanted: int, alarm: Alarm, now: float) -> Decision:
    if state.capacity >= state.max_capacity:
        return Decision(Outcome.ALREADY_AT_MAX, state, state.capacity, alarm)
    if wanted > state.capacity:
        return _scale(state, min(wanted, state.max_capacity), now, alarm)
    outcome = Outcome.IN_COOLDOWN if wanted == BLOCKED else Outcome.ALREADY_AT_DESIRED
    return Decision(outcome, state, state.capacity, alarm)


def _scale_in(state: ScalerState, wanted: int, alarm: Alarm, now: float) -> Decision:
    if state.capacity <= state.min_capacity:
        return Decision(Outcome.ALREADY_AT_MIN, state, state.capacity, alarm)
    if wanted >= state.capacity:
        return Decision(Outcome.ANTICIPATED_FLAPPING, state, state.capacity, alarm)
    if now < state.scale_in_until:
        return Decision(Outcome.IN_COOLDOWN, state, state.capacity, alarm)
    return _scale(state, max(wanted, state.min_capacity), now, alarm)


def _scale(state: ScalerState, capacity: int, now: float, alarm: Alarm | None) -> Decision:
    previous, outward = state.capacity, capacity > state.capacity
    cooldown_seconds = None if alarm is None else _cooldown_seconds(alarm, outward=outward)
    state = ScalerState(
        capacity,
        state.min_capacity,
        state.max_capacity,
        Activity(now, previous, capacity, cooldown_seconds),
        state.scale_out_cooldown,
        -math.inf if outward else state.scale_in_until,
        state.bounds_set_by,
    )
    return Decision(Outcome.SCALED, state, previous, alarm or state.bounds_set_by)


def _cooldown_seconds(alarm: Alarm, *, outward: bool) -> int:
    if alarm.policy.kind == "step":
        return alarm.policy.cooldown_seconds
    return alarm.policy.scale_out_cooldown_seconds if outward else alarm.policy.scale_in_cooldown_seconds
