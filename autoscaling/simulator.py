"""Replay a workload against a variant's policies, decision by decision.

The rules are the engine's; this module only advances time: it publishes metrics late, brings instances after their
provisioning time, and calls :func:`autoscaling.engine.decide` whenever an alarm fires or a schedule is due. Decisions
are made once a minute, or every ten seconds where a policy follows a high-resolution alarm.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from autoscaling.alarm_watch import AlarmWatch
from autoscaling.alarms import AlarmState, Reading, alarms_of
from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.closed_loop import closed_service_level
from autoscaling.delays import Delays
from autoscaling.engine import Decision, Outcome, ScalerState, decide, finish_activity
from autoscaling.latency import Floats
from autoscaling.metrics import arrivals_of, metric_of
from autoscaling.open_loop import open_service_level
from autoscaling.policies import Metric, ScheduledAction, VariantScaling
from autoscaling.result import ActivityRecord, Simulation
from autoscaling.schedules import occurrences, parse_schedule
from autoscaling.service_level import Counts, demand
from autoscaling.workload import OpenLoop, Workload

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
"""When a workload begins unless stated: a Monday, midnight UTC, so that weekly schedules mean something."""

_QUIET = Reading(AlarmState.OK)
_NONE = -1  # no set of alarms


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


def simulate(
    scaling: VariantScaling,
    workload: Workload,
    *,
    capacity: InstanceCapacity,
    slo: Slo | None = None,
    delays: Delays | None = None,
    initial_instances: int | None = None,
    usd_per_hour: float = 0.0,
    starts_at: datetime = MONDAY,
) -> Simulation:
    """Replay a workload.

    Parameters
    ----------
    scaling
        The variant's bounds and policies: the object that is deployed.
    workload
        Open or closed loop.
    capacity, slo, delays
        What an instance does, what is promised, how long things take.
    initial_instances
        In service at the beginning; by default what the first minute needs ("warm"), within the bounds.
    usd_per_hour
        Price of an instance in service.
    starts_at
        Time of the first minute, for schedules.

    Returns
    -------
    Simulation
        Deterministic: the same arguments give the same result.
    """
    slo, delays = slo or Slo(), delays or Delays()
    needed = demand(workload, capacity, slo)
    first = int(needed[0]) if initial_instances is None else initial_instances
    first = min(max(first, scaling.min_capacity), scaling.max_capacity)
    run = _Run(scaling, workload, capacity=capacity, delays=delays, first=first, starts_at=starts_at)
    run.advance()
    tick_seconds, in_service = run.tick_seconds, _by_tick(run.in_service, run.ticks)
    if isinstance(workload, OpenLoop):
        level = open_service_level(arrivals_of(workload, tick_seconds), in_service, tick_seconds, capacity, slo)
    else:
        level = closed_service_level(workload, in_service, tick_seconds, capacity, slo)
    return Simulation(
        tick_seconds=tick_seconds,
        workload=workload,
        capacity=capacity,
        slo=slo,
        usd_per_hour=usd_per_hour,
        demand=needed,
        in_service=in_service,
        desired=_by_tick(run.desired, run.ticks),
        level=level,
        decisions=tuple(run.decisions),
        activities=tuple(run.activities),
    )


def _by_tick(changes: Sequence[tuple[int, int]], ticks: int) -> Floats:
    """Spread changes over the ticks; of several at one tick the last one holds."""
    begins, counts = zip(*changes, strict=True)
    return np.repeat(np.array(counts, dtype=float), np.diff([*begins, ticks]))


class _Table(NamedTuple):
    """Metrics of every tick, were some number of instances in service, and where each alarm would be breached."""

    values: dict[Metric, list[float]]
    breaches: list[Counts]


class _Run:
    """State of one replay."""

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
        self.alarms = alarms = alarms_of(scaling)
        tick_seconds = 10.0 if any(alarm.period_seconds < 60 for alarm in alarms) else 60.0
        self.workload = workload
        self.capacity = capacity
        self.delays = delays
        self.tick_seconds = tick_seconds
        self.ticks = round(workload.minutes * 60 / tick_seconds)
        self.state = ScalerState(first, scaling.min_capacity, scaling.max_capacity)
        self.provisioning = _Provisioning(delays)
        self.due = dict(due_by_tick(scaling.scheduled_actions, self.ticks, tick_seconds, starts_at))
        self.due_ticks = [*self.due, self.ticks]
        self.streams: list[tuple[list[float], list[float]]] = []
        """For each metric, what has been published, and every tick's value with the instances in service now."""
        self.history: dict[Metric, list[float]] = {alarm.metric: [] for alarm in alarms}
        self.tables: dict[int, _Table] = {}
        lag = math.ceil(delays.publication_lag_seconds / tick_seconds)
        watch_of = partial(AlarmWatch, tick_seconds=tick_seconds, lag=lag, action_delay=delays.action_delay_seconds)
        self.watches = [(1 << index, watch_of(alarm, self.history[alarm.metric])) for index, alarm in enumerate(alarms)]
        self.in_service: list[tuple[int, int]] = []
        """Changes: from which tick on how many."""
        self.desired = [(0, first)]
        self.ends = self.ticks
        self.arrives = True
        self.repeatable = _NONE
        """Alarms that were firing at the last decision, if it repeats while they are."""
        self._change_fleet(0, first)
        self.decisions: list[tuple[int, Decision]] = []
        self.activities: list[ActivityRecord] = []

    def advance(self) -> None:
        """Go from event to event: an alarm that may change, an activity that ends, a schedule that is due."""
        tick = 0
        while tick < self.ticks:
            for history, values in self.streams:
                history.extend(values[len(history) : tick])
            if tick >= self.ends:
                self._finish(tick)
            firing, until = 0, self.ends  # one bit an alarm
            for bit, watch in self.watches:
                if tick >= watch.next_tick:
                    watch.evaluate(tick)
                if tick >= watch.fires_from:
                    firing |= bit
                elif watch.next_tick < until:
                    until = watch.next_tick
            due = self.due.get(tick, ())
            state = self.state
            if firing or due or not state.min_capacity <= state.capacity <= state.max_capacity:
                self._decide(tick, firing, due)
                until = tick + 1
            else:
                until = min(until, self.due_ticks[bisect_right(self.due_ticks, tick)])
            tick = until

    def _decide(self, tick: int, firing: int, due: Sequence[ScheduledAction]) -> None:
        if firing == self.repeatable and not due:
            before, decision = self.decisions[-1]
            by_value = decision.outcome is Outcome.ANTICIPATED_FLAPPING
            value = self.watches[firing.bit_length() - 1][1].latest(tick) if by_value else 0.0
            if before == tick - 1 and decision.repeats_at(value):
                self.decisions.append((tick, decision))
                return
        now = tick * self.tick_seconds
        readings = [watch.reading(tick) if firing & bit else _QUIET for bit, watch in self.watches]
        decision = decide(self.alarms, self.state, readings, now, due)
        self.state = decision.state
        alone = firing.bit_count() == 1 or decision.outcome is Outcome.UPDATING
        self.repeatable = firing if alone and decision.may_repeat else _NONE
        if decision.outcome is not Outcome.NO_ALARM:
            self.decisions.append((tick, decision))
        if decision.outcome is Outcome.SCALED:
            self.activities.append(ActivityRecord.begun(decision, now))
            self.desired.append((tick, decision.capacity))
            seconds, self.arrives = self.provisioning.next()
            if decision.capacity < decision.previous:
                seconds, self.arrives = self.delays.scale_in_seconds, True
                self._change_fleet(tick, decision.capacity)
            self.ends = tick + max(math.ceil(seconds / self.tick_seconds), 1)

    def _finish(self, tick: int) -> None:
        now = tick * self.tick_seconds
        self.state = finish_activity(self.state, now, succeeded=self.arrives)
        self.activities[-1] = self.activities[-1].ended(now, succeeded=self.arrives)
        self.ends, self.repeatable = self.ticks, _NONE
        self._change_fleet(tick, self.state.capacity)
        self.desired.append((tick, self.state.capacity))

    def _change_fleet(self, tick: int, count: int) -> None:
        """Change the instances in service from a tick on, and with them the metrics to come."""
        table = self.tables.get(count)
        if table is None:
            table = self.tables[count] = self._table(count)
        self.in_service.append((tick, count))
        self.streams = [(history, table.values[metric]) for metric, history in self.history.items()]
        for (_, watch), breaches in zip(self.watches, table.breaches, strict=True):
            watch.look_ahead(tick, breaches)

    def _table(self, count: int) -> "_Table":
        values = {
            metric: metric_of(metric, self.workload, count, self.tick_seconds, self.capacity) for metric in self.history
        }
        breaches = [np.flatnonzero(alarm.breaches(values[alarm.metric])) for alarm in self.alarms]
        return _Table({metric: series.tolist() for metric, series in values.items()}, breaches)


def due_by_tick(
    actions: Sequence[ScheduledAction], ticks: int, tick_seconds: float, starts_at: datetime
) -> Iterator[tuple[int, list[ScheduledAction]]]:
    """Scheduled actions by the tick at which they take effect.

    Parameters
    ----------
    actions
        Of one variant.
    ticks, tick_seconds, starts_at
        The simulated time; an action due between two ticks waits for the later one.

    Yields
    ------
    tuple of int and list of ScheduledAction
        In order of time; ties in order of the policies.
    """
    ends_at = starts_at + timedelta(seconds=(ticks - 1) * tick_seconds)
    found: defaultdict[int, list[tuple[datetime, int]]] = defaultdict(list)
    for index, action in enumerate(actions):
        begin = max(starts_at, action.start_time or starts_at)
        end = min(ends_at, action.end_time or ends_at)
        moments = occurrences(
            parse_schedule(action.schedule),
            ZoneInfo(action.timezone),
            after=begin - timedelta(seconds=1),
            until=end,
            origin=action.start_time or starts_at,
        )
        for moment in moments:
            found[math.ceil((moment - starts_at).total_seconds() / tick_seconds)].append((moment, index))
    for tick in sorted(found):
        yield tick, [actions[index] for _, index in sorted(found[tick])]
