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

from autoscaling.alarms import Alarm, Reading
from autoscaling.policies import ScheduledAction, StepScalingPolicy, policy_name

_ROUNDING = 1e-9  # ceil(3.0000000000004) is 3: the quotient of two measured numbers is not exact


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
    def may_repeat(self) -> bool:
        """Whether it is made again while the same single alarm fires, as :meth:`repeats_at` says.

        Until an activity ends or a schedule is due; while the endpoint updates, any number of alarms may fire.
        """
        if self.outcome in {Outcome.ALREADY_AT_MAX, Outcome.ALREADY_AT_MIN, Outcome.ANTICIPATED_FLAPPING}:
            return isinstance(self.source, Alarm) and self.source.role != "step"
        return self.outcome is Outcome.UPDATING

    def repeats_at(self, value: float) -> bool:
        """Whether a decision that may repeat does so at the alarm's next datapoint.

        Parameters
        ----------
        value
            The datapoint; only anticipated flapping depends on it.

        Returns
        -------
        bool
            True where :func:`decide` would return the same decision.
        """
        if self.outcome is not Outcome.ANTICIPATED_FLAPPING or not isinstance(self.source, Alarm):
            return True
        return _wanted(self.source, self.previous, value) >= self.previous

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
    inside = state.min_capacity <= state.capacity <= state.max_capacity
    if state.activity is not None:
        first = _first_firing(alarms, readings)
        if first is None and inside:
            return Decision(Outcome.NO_ALARM, state, state.capacity)
        return Decision(Outcome.UPDATING, state, state.capacity, first or state.bounds_set_by)
    if not inside:
        return _scale(state, min(max(state.capacity, state.min_capacity), state.max_capacity), now, None)
    return _follow_alarms(alarms, state, readings, now)


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
    state = state._replace(activity=None)
    if not succeeded:
        return state._replace(capacity=activity.previous)
    if activity.cooldown_seconds is None:
        return state
    until = now + activity.cooldown_seconds
    if activity.desired > activity.previous:
        return state._replace(scale_out_cooldown=Cooldown(now, until, activity.previous))
    return state._replace(scale_in_until=until)


def with_bounds(state: ScalerState, action: ScheduledAction) -> ScalerState:
    """Set the bounds of an action; one that is given alone pushes the other one along rather than cross it."""
    minimum = state.min_capacity if action.min_capacity is None else action.min_capacity
    maximum = state.max_capacity if action.max_capacity is None else action.max_capacity
    if minimum > maximum:
        minimum, maximum = (minimum, minimum) if action.max_capacity is None else (maximum, maximum)
    return state._replace(min_capacity=minimum, max_capacity=maximum, bounds_set_by=action)


def _first_firing(alarms: Sequence[Alarm], readings: Sequence[Reading]) -> Alarm | None:
    for alarm, reading in zip(alarms, readings, strict=True):
        if reading.firing:
            return alarm
    return None


def _follow_alarms(alarms: Sequence[Alarm], state: ScalerState, readings: Sequence[Reading], now: float) -> Decision:
    """Scale out if any policy wants it, in only if every target-tracking policy does; the largest capacity wins."""
    out = step_in = tracking_in = idle = None
    all_low = True
    for alarm, reading in zip(alarms, readings, strict=True):
        role = alarm.role
        if not reading.firing:
            all_low &= role != "scale_in"
            continue
        wanted = _wanted(alarm, state.capacity, reading.value)
        if role == "scale_in":
            tracking_in = _larger(tracking_in, wanted, alarm)
        elif role == "scale_out" or wanted > state.capacity:
            out = _larger(out, _wanted_in_cooldown(alarm, state, reading, now, wanted), alarm)
        elif wanted < state.capacity:
            step_in = _larger(step_in, wanted, alarm)
        else:
            idle = alarm
    if out is not None:
        return _scale_out(state, *out, now)
    inward = step_in
    if tracking_in is not None and all_low:
        inward = _larger(step_in, *tracking_in)
    if inward is not None:
        return _scale_in(state, *inward, now)
    return Decision(Outcome.ALREADY_AT_DESIRED if idle else Outcome.NO_ALARM, state, state.capacity, idle)


def _larger(best: tuple[int, Alarm] | None, wanted: int, alarm: Alarm) -> tuple[int, Alarm]:
    return (wanted, alarm) if best is None or wanted > best[0] else best


def _wanted(alarm: Alarm, capacity: int, value: float) -> int:
    policy = alarm.policy
    if policy.kind == "target_tracking":
        return math.ceil(capacity * value / policy.target - _ROUNDING)
    return step_capacity(policy, capacity, value)


def _wanted_in_cooldown(alarm: Alarm, state: ScalerState, reading: Reading, now: float, wanted: int) -> int:
    """Wanted capacity, which a running scale-out cooldown counts from the capacity before it; 0 where it blocks."""
    cooldown = state.scale_out_cooldown
    if cooldown is None or now >= cooldown.until:
        return wanted
    if reading.datapoint_start < cooldown.started:
        return 0
    from_base = _wanted(alarm, cooldown.base, reading.value)
    return from_base if from_base > state.capacity else 0


def _scale_out(state: ScalerState, wanted: int, alarm: Alarm, now: float) -> Decision:
    if state.capacity >= state.max_capacity:
        return Decision(Outcome.ALREADY_AT_MAX, state, state.capacity, alarm)
    if wanted > state.capacity:
        return _scale(state, min(wanted, state.max_capacity), now, alarm)
    outcome = Outcome.IN_COOLDOWN if wanted == 0 else Outcome.ALREADY_AT_DESIRED
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
    state = state._replace(
        capacity=capacity,
        activity=Activity(
            now, previous, capacity, None if alarm is None else _cooldown_seconds(alarm, outward=outward)
        ),
        scale_in_until=-math.inf if outward else state.scale_in_until,
    )
    return Decision(Outcome.SCALED, state, previous, alarm or state.bounds_set_by)


def _cooldown_seconds(alarm: Alarm, *, outward: bool) -> int:
    if isinstance(alarm.policy, StepScalingPolicy):
        return alarm.policy.cooldown_seconds
    return alarm.policy.scale_out_cooldown_seconds if outward else alarm.policy.scale_in_cooldown_seconds


def step_capacity(policy: StepScalingPolicy, capacity: int, value: float) -> int:
    """Capacity a step policy wants, before the bounds.

    Parameters
    ----------
    policy
        The policy.
    capacity
        Current capacity.
    value
        The alarm's aggregated metric.

    Returns
    -------
    int
        The current capacity where no step covers the value.
    """
    breach = value - policy.threshold
    for step in policy.steps:
        above = breach >= 0 and step.lower <= breach < step.upper
        below = breach <= 0 and step.lower < breach <= step.upper
        if above or below:
            return _adjusted(policy, capacity, step.adjustment)
    return capacity


def _adjusted(policy: StepScalingPolicy, capacity: int, adjustment: int) -> int:
    if policy.adjustment_type == "exact_capacity":
        return adjustment
    if policy.adjustment_type == "change_in_capacity" or adjustment == 0:
        return max(capacity + adjustment, 0)
    # Towards zero, but never to zero: 0.3 is 1 and -0.3 is -1.
    magnitude = max(abs(capacity * adjustment) // 100, 1, policy.min_adjustment_magnitude or 0)
    return max(capacity + (magnitude if adjustment > 0 else -magnitude), 0)
