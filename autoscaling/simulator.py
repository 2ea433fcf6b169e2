"""Replay a workload against a variant's policies, decision by decision.

The rules are the engine's; this module only advances time: it publishes metrics late, brings instances after their
provisioning time, and calls :func:`autoscaling.engine.decide` whenever an alarm fires or a schedule is due. Decisions
are made once a minute, or every ten seconds where a policy follows a high-resolution alarm.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from autoscaling.alarms import Alarm, AlarmState, Reading, aggregate, alarms_of
from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.closed_loop import closed_service_level
from autoscaling.delays import Delays
from autoscaling.engine import Decision, Outcome, ScalerState, decide, finish_activity
from autoscaling.metrics import arrivals_of, metric_of
from autoscaling.open_loop import open_service_level
from autoscaling.policies import Metric, ScheduledAction, VariantScaling
from autoscaling.result import ActivityRecord, Simulation
from autoscaling.schedules import occurrences, parse_schedule
from autoscaling.service_level import demand
from autoscaling.workload import OpenLoop, Workload

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
"""When a workload begins unless stated: a Monday, midnight UTC, so that weekly schedules mean something."""

_QUIET = Reading(AlarmState.OK)


@dataclass(slots=True)
class _Watch:
    """One alarm followed datapoint by datapoint: the same answers as alarms.evaluate without missing data, in O(1)."""

    alarm: Alarm
    history: list[float]
    """The metric, one value a tick, as it will be published."""
    ticks: int
    """Length of the alarm's period."""
    delay_seconds: float
    window: int = 0
    """One bit a datapoint, 1 where it breaches."""
    seen: int = 0
    since: float = math.inf
    """When the alarm entered ALARM; infinity while it is not."""

    def observe(self, newest: int, now: float) -> bool:
        """Take the datapoint that ends with the newest published tick, if any; whether the alarm's action is due."""
        if newest >= 0 and (newest + 1) % self.ticks == 0:
            alarm = self.alarm
            value = self.history[newest] if self.ticks == 1 else self.datapoint(newest)
            self.window = (self.window << 1 | alarm.is_breached_by(value)) & ((1 << alarm.evaluation_periods) - 1)
            self.seen += 1
            if self.seen < alarm.evaluation_periods or self.window.bit_count() < alarm.datapoints_to_alarm:
                self.since = math.inf
            elif self.since == math.inf:
                self.since = now
        return now - self.since >= self.delay_seconds

    def datapoint(self, newest: int) -> float:
        """Aggregate the period that ends with a tick."""
        values = self.history[newest + 1 - self.ticks : newest + 1]
        if self.alarm.statistic == "sum":
            return sum(values)
        if self.alarm.statistic == "average":
            return sum(values) / len(values)
        return max(values) if self.alarm.statistic == "maximum" else min(values)

    def reading(self, newest: int, now: float, tick_seconds: float) -> Reading:
        """Summarise as alarms.evaluate would."""
        if now - self.since < self.delay_seconds:
            return _QUIET
        last = newest - (newest + 1) % self.ticks
        count = min(self.alarm.evaluation_periods, (last + 1) // self.ticks)
        ends = range(last - (count - 1) * self.ticks, last + 1, self.ticks)
        value = aggregate(self.alarm, [self.datapoint(end) for end in ends])
        return Reading(AlarmState.ALARM, self.since, True, value, (last + 1 - self.ticks) * tick_seconds)


class _Provisioning:
    """When instances come."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays
        self._random = np.random.default_rng(delays.seed)

    def next(self) -> tuple[float, bool]:
        """Seconds until the next scale-out ends, and whether its instances come."""
        span = self._delays.provisioning_seconds
        if span is None:
            return self._delays.failure_seconds, False
        return (float(self._random.uniform(*span)) if isinstance(span, tuple) else span), True


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
    tick_seconds, in_service = run.tick_seconds, np.array(run.in_service, dtype=float)
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
        desired=np.array(run.desired, dtype=float),
        level=level,
        decisions=tuple(run.decisions),
        activities=tuple(run.activities),
    )


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
        self.history: dict[Metric, list[float]] = {alarm.metric: [] for alarm in alarms}
        self.tables: dict[int, list[list[float]]] = {}
        self.watches = [
            _Watch(
                alarm,
                self.history[alarm.metric],
                round(alarm.period_seconds / tick_seconds),
                min(delays.action_delay_seconds, alarm.period_seconds),
            )
            for alarm in alarms
        ]
        self.in_service: list[int] = []
        self.desired: list[int] = []
        self.decisions: list[tuple[int, Decision]] = []
        self.activities: list[ActivityRecord] = []

    def advance(self) -> None:
        """Go through all ticks."""
        lag = math.ceil(self.delays.publication_lag_seconds / self.tick_seconds)
        in_service, ends, arrives = self.state.capacity, math.inf, True
        histories = list(self.history.values())
        table = self._table(in_service)
        for tick in range(self.ticks):
            now = tick * self.tick_seconds
            if now >= ends:
                self.state = finish_activity(self.state, now, succeeded=arrives)
                in_service, ends = self.state.capacity, math.inf
                table = self._table(in_service)
                self.activities[-1] = self.activities[-1].ended(now, succeeded=arrives)
            newest = tick - 1 - lag
            firing = [watch for watch in self.watches if watch.observe(newest, now)]
            due = self.due.get(tick, ())
            state = self.state
            if firing or due or not state.min_capacity <= state.capacity <= state.max_capacity:
                decision = self._decide(tick, newest, due)
                if decision.outcome is Outcome.SCALED:
                    seconds, arrives = self.provisioning.next()
                    if decision.capacity < in_service:
                        in_service, seconds, arrives = decision.capacity, self.delays.scale_in_seconds, True
                        table = self._table(in_service)
                    ends = now + seconds
            self.in_service.append(in_service)
            self.desired.append(self.state.capacity)
            for history, values in zip(histories, table, strict=True):
                history.append(values[tick])

    def _decide(self, tick: int, newest: int, due: Sequence[ScheduledAction]) -> Decision:
        now = tick * self.tick_seconds
        readings = [watch.reading(newest, now, self.tick_seconds) for watch in self.watches]
        decision = decide(self.alarms, self.state, readings, now, due)
        self.state = decision.state
        if decision.outcome is not Outcome.NO_ALARM:
            self.decisions.append((tick, decision))
        if decision.outcome is Outcome.SCALED:
            self.activities.append(ActivityRecord.begun(decision, now))
        return decision

    def _table(self, count: int) -> list[list[float]]:
        """Each metric of every tick, were this number of instances in service."""
        if count not in self.tables:
            self.tables[count] = [
                metric_of(metric, self.workload, count, self.tick_seconds, self.capacity).tolist()
                for metric in self.history
            ]
        return self.tables[count]


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
