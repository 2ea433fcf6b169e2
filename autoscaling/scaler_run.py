"""Run a variant's scaler over a workload, from event to event.

The rules are the engine's; this module only advances time: it publishes metrics late, brings instances after their
provisioning time, and decides wherever an alarm's action or a schedule is due. A decision that changes nothing is made
once for all the ticks at which it must be the same.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import repeat
from typing import NamedTuple

import numpy as np

from autoscaling.alarm_watch import AlarmWatch, Series
from autoscaling.alarms import Alarm, alarms_of
from autoscaling.capacity import InstanceCapacity
from autoscaling.delays import Delays
from autoscaling.engine import (
    BLOCKED,
    Decision,
    Outcome,
    ScalerState,
    answer,
    decide,
    finish_activity,
    same_decision,
    wish,
)
from autoscaling.metrics import metric_of
from autoscaling.policies import Metric, ScheduledAction, VariantScaling
from autoscaling.result import CapacityChange
from autoscaling.run_watch import Runs, RunWatch
from autoscaling.scheduled_ticks import due_by_tick
from autoscaling.workload import Workload


class _Provisioning:
    """When instances come."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays
        self._random: np.random.Generator | None = None

    def next(self) -> tuple[float, bool]:
        """Seconds until the next scale-out ends, and whether its instances come."""
        span = self._delays.provisioning_seconds
        if span is None:
            return self._delays.failure_seconds, False
        if not isinstance(span, tuple):
            return span, True
        if self._random is None:
            self._random = np.random.default_rng(self._delays.seed)
        return float(self._random.uniform(*span)), True


class _Outlook(NamedTuple):
    """Every tick's metrics, were some number of instances in service, and where alarms would be breached."""

    values: dict[Metric, Sequence[float]]
    runs: list[Runs]


class ScalerRun:
    """One variant's scaler on its way through a workload.

    Parameters
    ----------
    scaling, workload, capacity, delays, starts_at
        As in simulate.
    first
        Instances in service at the beginning.
    """

    def __init__(
        self,
        scaling: VariantScaling,
        workload: Workload,
        *,
        capacity: InstanceCapacity,
        delays: Delays,
        first: int,
        starts_at: datetime,
    ) -> None:
        self.alarms = alarms_of(scaling)
        self.tick_seconds = 10.0 if any(alarm.period_seconds < 60 for alarm in self.alarms) else 60.0
        self.ticks = round(workload.minutes * 60 / self.tick_seconds)
        self.in_service: list[tuple[int, int]] = []
        """Changes: from which tick on how many."""
        self.desired = [(0, first)]
        """As in_service."""
        self.decisions: list[tuple[int, Decision]] = []
        """Tick and decision, wherever an alarm or a schedule asked for something."""
        self.changes: list[CapacityChange] = []
        self._workload, self._capacity, self._delays = workload, capacity, delays
        self._state = ScalerState(first, scaling.min_capacity, scaling.max_capacity)
        self._provisioning = _Provisioning(delays)
        due = due_by_tick(scaling.scheduled_actions, self.ticks, self.tick_seconds, starts_at)
        self._coming = [(self.ticks, []), *reversed(list(due))]
        """Tick and scheduled actions, the next ones last."""
        self._series = {alarm.metric: Series() for alarm in self.alarms}
        self._watches = [self._watch(alarm) for alarm in self.alarms]
        self._run_watches = [watch for watch in self._watches if isinstance(watch, RunWatch)]
        self._outlooks: dict[int, _Outlook] = {}
        self._ends = self.ticks
        """When the activity on its way ends."""
        self._arrives = True
        """Whether its instances come."""
        self._change_fleet(0, first)

    def _watch(self, alarm: Alarm) -> AlarmWatch:
        kind = RunWatch if RunWatch.fits(alarm, self.tick_seconds) else AlarmWatch
        return kind(
            alarm,
            self._series[alarm.metric],
            tick_seconds=self.tick_seconds,
            lag_ticks=math.ceil(self._delays.publication_lag_seconds / self.tick_seconds),
            action_delay_seconds=self._delays.action_delay_seconds,
        )

    def advance(self) -> None:
        """Go through all ticks, from each one at which something may happen to the next."""
        tick = 0
        while tick < self.ticks:
            if tick >= self._ends:
                self._finish(tick)
            due = self._coming.pop()[1] if tick == self._coming[-1][0] else ()
            until, firing = min(self._ends, self._coming[-1][0]), []
            for watch in self._watches:
                if tick >= watch.until:
                    watch.look(tick)
                if watch.due:
                    firing.append(watch)
                until = min(until, watch.until)
            state = self._state
            if due or not state.min_capacity <= state.capacity <= state.max_capacity:
                self._decide(tick, due)
                tick += 1
            else:
                tick = self._follow_alarms(tick, until, firing) if firing else until

    def _decide(self, tick: int, due: Sequence[ScheduledAction]) -> None:
        readings = [watch.reading(tick) for watch in self._watches]
        self._take(tick, decide(self.alarms, self._state, readings, tick * self.tick_seconds, due))

    def _follow_alarms(self, tick: int, until: int, firing: Sequence[AlarmWatch]) -> int:
        """Decide at every tick as long as the same alarms fire and nothing else happens; return the next tick."""
        if self._state.activity is not None:  # nothing can scale, whatever the alarms wish for
            decision = answer(self.alarms, self._state, [(firing[0].alarm, BLOCKED)], tick * self.tick_seconds)
            self.decisions += zip(range(tick, until), repeat(decision))
            return until
        while tick < until:
            decision = self._answer(tick, firing)
            if decision.outcome is Outcome.SCALED:
                self._take(tick, decision)
                return tick + 1
            other = self._repeats_until(tick, until, decision, firing)
            if decision.outcome is not Outcome.NO_ALARM:
                self.decisions += zip(range(tick, other), repeat(decision))
            tick = other
        return until

    def _answer(self, tick: int, firing: Sequence[AlarmWatch]) -> Decision:
        """Decide on what the alarms wish for now."""
        now, state = tick * self.tick_seconds, self._state
        wished = [
            (watch.alarm, wish(watch.alarm, state, watch.value(tick), watch.datapoint_start(tick), now))
            for watch in firing
        ]
        return answer(self.alarms, state, wished, now)

    def _repeats_until(self, tick: int, until: int, decision: Decision, firing: Sequence[AlarmWatch]) -> int:
        """Tick before which the decision of now is made again while the same alarms fire."""
        cooldown = self._state.scale_out_cooldown
        cooled = max(self._state.scale_in_until, 0.0 if cooldown is None else cooldown.until)
        if tick * self.tick_seconds < cooled:
            return tick + 1
        for watch in firing:
            low, high = same_decision(decision, watch.alarm, watch.value(tick), alone=len(firing) == 1)
            until = watch.stays_between(low, high, tick, until)
        return until

    def _take(self, tick: int, decision: Decision) -> None:
        """Act on a decision that changes the state."""
        self._state = decision.state
        if decision.outcome is not Outcome.NO_ALARM:
            self.decisions.append((tick, decision))
        if decision.outcome is Outcome.SCALED:
            capacity = decision.capacity
            self.changes.append(CapacityChange(decision, tick))
            self.desired.append((tick, capacity))
            seconds, self._arrives = self._provisioning.next()
            if capacity < decision.previous:
                seconds, self._arrives = self._delays.scale_in_seconds, True
                self._change_fleet(tick, capacity)
            self._ends = tick + max(math.ceil(seconds / self.tick_seconds), 1)

    def _finish(self, tick: int) -> None:
        self._state = finish_activity(self._state, tick * self.tick_seconds, succeeded=self._arrives)
        begun = self.changes[-1]
        self.changes[-1] = CapacityChange(begun.decision, begun.start_tick, tick, self._arrives)
        self._ends = self.ticks
        self._change_fleet(tick, self._state.capacity)
        self.desired.append((tick, self._state.capacity))

    def _change_fleet(self, tick: int, count: int) -> None:
        """Change the instances in service from a tick on, and with them the metrics to come."""
        if self.in_service and self.in_service[-1][1] == count:
            return
        self.in_service.append((tick, count))
        outlook = self._outlooks.get(count)
        if outlook is None:
            outlook = self._outlooks[count] = self._outlook(count)
        for metric, series in self._series.items():
            series.change(tick, outlook.values[metric])
        for watch, runs in zip(self._run_watches, outlook.runs, strict=True):
            watch.change(tick, runs)

    def _outlook(self, count: int) -> _Outlook:
        values = {
            metric: metric_of(metric, self._workload, count, self.tick_seconds, self._capacity)
            for metric in self._series
        }
        runs = [Runs.of(watch.alarm.breaches(values[watch.alarm.metric]), watch.needed) for watch in self._run_watches]
        return _Outlook({metric: series.data for metric, series in values.items()}, runs)
