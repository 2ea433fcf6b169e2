"""Many simulations of one open loop at once: the engine's rules over arrays, one lane a policy, for the planner.

Covers the policies the planner proposes (see lane_policies.problem_with) and gives for them exactly the instances, the
cost and the violations of :func:`autoscaling.simulator.simulate`; a property test holds the two together. Reasons and
latencies are the simulator's.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import numpy as np

from autoscaling.adjustment import ROUNDING
from autoscaling.alarms import SCALE_IN_DATAPOINTS, SCALE_IN_RATIO, SCALE_OUT_DATAPOINTS
from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.delays import Delays
from autoscaling.engine import ScalerState, with_bounds
from autoscaling.lane_ledger import LaneLedger
from autoscaling.lane_policies import (
    MINUTE,
    NEVER,
    Bools,
    Ints,
    LaneAlarms,
    LaneSteps,
    column,
    fixed_provisioning,
    lengths,
    problem_with,
    steps_of,
    tracking_of,
)
from autoscaling.latency import Floats
from autoscaling.policies import VariantScaling
from autoscaling.scheduled_ticks import due_by_tick
from autoscaling.service_level import demand
from autoscaling.simulator import MONDAY
from autoscaling.workload import OpenLoop


@dataclass(frozen=True, slots=True, eq=False)
class LaneResults:
    """One value for each delay setting (row) and policy (column).

    Parameters
    ----------
    instance_hours : ndarray of shape (n_delays, n_policies), hours
        In service.
    violation_minutes : ndarray of shape (n_delays, n_policies)
        Minutes that violate the SLO.
    error_share : ndarray of shape (n_delays, n_policies)
        Share of all requests that are rejected, time out or are late.
    """

    instance_hours: Floats
    violation_minutes: Ints
    error_share: Floats


def run_lanes(
    scalings: Sequence[VariantScaling],
    workload: OpenLoop,
    *,
    capacity: InstanceCapacity,
    slo: Slo,
    delays: Sequence[Delays],
    starts_at: datetime = MONDAY,
) -> LaneResults:
    """Simulate every policy at every delay setting.

    Parameters
    ----------
    scalings, delays
        Each pair of them is a lane.
    workload, capacity, slo, starts_at
        As in simulate.

    Returns
    -------
    LaneResults
        In order of the delays and the policies.

    Raises
    ------
    ValueError
        If a policy or a delay cannot run in a lane.
    """
    problems = {problem for setting in delays for scaling in scalings if (problem := problem_with(scaling, setting))}
    if problems:
        raise ValueError(f"{'; '.join(sorted(problems))}; simulate these policies one at a time")
    first = float(demand(workload, capacity, slo)[0])
    lanes = _Lanes(scalings, workload, first=first, delays=delays, starts_at=starts_at)
    ledger = LaneLedger(workload, lanes.lanes, lanes.most, capacity=capacity, slo=slo)
    for minute, serving in enumerate(lanes.advance()):
        ledger.record(minute, serving)
    total = max(float(workload.requests.sum()), 1e-300)
    shape = (len(delays), len(scalings))
    return LaneResults(
        (ledger.instance_minutes / 60).reshape(shape),
        ledger.violations.reshape(shape),
        (ledger.bad / total).reshape(shape),
    )


class _Lanes:
    """State of all lanes."""

    def __init__(
        self,
        scalings: Sequence[VariantScaling],
        workload: OpenLoop,
        *,
        first: float,
        delays: Sequence[Delays],
        starts_at: datetime,
    ) -> None:
        self.arrivals = workload.requests
        self.lanes = len(scalings) * len(delays)  # all policies at the first delay setting, then all at the next
        self.low = np.array([scaling.min_capacity for scaling in scalings] * len(delays), dtype=float)
        self.high = np.array([scaling.max_capacity for scaling in scalings] * len(delays), dtype=float)
        self.bounds = self._scheduled_bounds(scalings, workload.minutes, starts_at)
        self.lags = [math.ceil(setting.publication_lag_seconds / MINUTE) for setting in delays]
        self.lag = np.repeat(self.lags, len(scalings))
        provisioning = [math.ceil(fixed_provisioning(setting) / MINUTE) for setting in delays]
        self.provisioning = np.repeat(np.maximum(provisioning, 1), len(scalings))
        scale_in = [math.ceil(setting.scale_in_seconds / MINUTE) for setting in delays]
        self.scale_in_ticks = np.repeat(np.maximum(scale_in, 1), len(scalings))
        action_delays = [math.ceil(min(setting.action_delay_seconds, MINUTE) / MINUTE) for setting in delays]
        self.action_delay = np.repeat(action_delays, len(scalings))
        self.serving = np.clip(np.full(self.lanes, first), self.low, self.high)
        self.desired = self.serving.copy()
        self.ends = np.full(self.lanes, NEVER)
        self.previous = self.serving.copy()
        self.pending_cooldown = np.full(self.lanes, np.nan)  # nan: none follows
        self.cooldown_start = np.full(self.lanes, -np.inf)
        self.cooldown_until = np.full(self.lanes, -np.inf)
        self.cooldown_base = self.serving.copy()
        self.scale_in_until = np.full(self.lanes, -np.inf)
        self._read_policies([*scalings] * len(delays))

    def _read_policies(self, scalings: Sequence[VariantScaling]) -> None:
        tracking = [tracking_of(scaling) for scaling in scalings]
        outward = [steps_of(scaling, outward=True) for scaling in scalings]
        inward = [steps_of(scaling, outward=False) for scaling in scalings]
        self.target = column(tracking, "target")
        self.tracking_out_cooldown = column(tracking, "scale_out_cooldown_seconds")
        self.tracking_in_cooldown = column(tracking, "scale_in_cooldown_seconds")
        self.step_out_cooldown = column(outward, "cooldown_seconds")
        self.step_in_cooldown = column(inward, "cooldown_seconds")
        self.out_threshold = column(outward, "threshold")
        self.out_steps, self.in_steps = LaneSteps(outward), LaneSteps(inward)
        low = SCALE_IN_RATIO * np.where(column(tracking, "disable_scale_in") == 1, np.nan, self.target)
        threes, fifteens = (np.full(self.lanes, count) for count in (SCALE_OUT_DATAPOINTS, SCALE_IN_DATAPOINTS))
        make = partial(LaneAlarms, delay=self.action_delay)
        self.tracking_high = make(self.target, threes, above=True, inclusive=False)
        self.tracking_low = make(low, fifteens, above=False, inclusive=False)
        self.step_high = make(self.out_threshold, lengths(outward), above=True, inclusive=True)
        self.step_low = make(column(inward, "threshold"), lengths(inward), above=False, inclusive=True)

    def _scheduled_bounds(
        self, scalings: Sequence[VariantScaling], minutes: int, starts_at: datetime
    ) -> dict[int, list[tuple[int, int, int]]]:
        """Bounds that change, by tick: lane, minimum, maximum."""
        changes: dict[int, list[tuple[int, int, int]]] = {}
        for lane, scaling in enumerate(scalings):
            state = ScalerState(scaling.min_capacity, scaling.min_capacity, scaling.max_capacity)
            for tick, actions in due_by_tick(scaling.scheduled_actions, minutes, MINUTE, starts_at):
                for action in actions:
                    state = with_bounds(state, action)
                changes.setdefault(tick, []).extend(
                    (later, state.min_capacity, state.max_capacity) for later in range(lane, self.lanes, len(scalings))
                )
        return changes

    @property
    def most(self) -> int:
        """Largest maximum that any lane ever has."""
        scheduled = [high for changes in self.bounds.values() for _, _, high in changes]
        return int(max([*self.high.tolist(), *scheduled]))

    def advance(self) -> Iterator[Floats]:
        """Advance all lanes through all minutes.

        Yields
        ------
        ndarray of shape (n_lanes,), instances
            In service during the minute.
        """
        served: list[Floats] = []
        width = self.lanes // len(self.lags)
        values = np.full(self.lanes, np.nan)  # nan breaches no alarm: nothing has been published yet
        for tick in range(self.arrivals.size):
            self._finish(tick)
            for lane, low, high in self.bounds.get(tick, ()):
                self.low[lane], self.high[lane] = low, high
            for index, lag in enumerate(self.lags):
                newest, lanes = tick - 1 - lag, slice(index * width, (index + 1) * width)
                if newest >= 0:
                    values[lanes] = self.arrivals[newest] / served[newest][lanes]
            self._follow_alarms(tick, values)
            if self.bounds:
                self._move_into_bounds(tick)
            served.append(self.serving)
            yield self.serving

    def _finish(self, tick: int) -> None:
        done = np.flatnonzero(self.ends <= tick)
        if not done.size:
            return
        now = tick * MINUTE
        self.serving = self.serving.copy()  # what was yielded stays as it was
        self.serving[done] = self.desired[done]
        self.ends[done] = NEVER
        followed = done[~np.isnan(self.pending_cooldown[done])]
        grown = self.desired[followed] > self.previous[followed]
        outward, inward = followed[grown], followed[~grown]
        self.cooldown_start[outward] = now
        self.cooldown_until[outward] = now + self.pending_cooldown[outward]
        self.cooldown_base[outward] = self.previous[outward]
        self.scale_in_until[inward] = now + self.pending_cooldown[inward]

    def _move_into_bounds(self, tick: int) -> None:
        within = np.clip(self.desired, self.low, self.high)
        moving = np.flatnonzero((within != self.desired) & (self.ends == NEVER))
        if moving.size:
            self._scale(moving, within[moving], np.full(moving.size, np.nan), tick)

    def _follow_alarms(self, tick: int, values: Floats) -> None:
        high, low = self.tracking_high.observe(values), self.tracking_low.observe(values)
        step_high, step_low = self.step_high.observe(values), self.step_low.observe(values)
        free = (self.ends == NEVER) & (self.low <= self.desired) & (self.desired <= self.high)
        wants_out, wants_in = high | step_high, low | step_low
        cooling = tick * MINUTE < self.cooldown_until
        fresh = (tick - 1 - self.lag) * MINUTE >= self.cooldown_start
        outward = np.flatnonzero(free & wants_out & (self.desired < self.high) & (fresh | ~cooling))
        inward = free & wants_in & ~wants_out & (self.desired > self.low) & (tick * MINUTE >= self.scale_in_until)
        chosen = np.flatnonzero(inward)
        if outward.size:
            base = np.where(cooling[outward], self.cooldown_base[outward], self.desired[outward])
            self._scale_out(tick, outward, base, values[outward], (high[outward], step_high[outward]))
        if chosen.size:
            self._scale_in(tick, chosen, values[chosen], (low[chosen], step_low[chosen]))

    def _scale_out(self, tick: int, lanes: Ints, base: Floats, values: Floats, firing: tuple[Bools, Bools]) -> None:
        tracking = np.where(firing[0], np.ceil(base * values / self.target[lanes] - ROUNDING), np.nan)
        stepped = np.full(lanes.size, np.nan)
        fast = firing[1]
        stepped[fast] = self.out_steps.adjusted(lanes[fast], base[fast], values[fast] - self.out_threshold[lanes[fast]])
        wanted = np.fmax(tracking, stepped)
        cooldown = np.where(tracking == wanted, self.tracking_out_cooldown[lanes], self.step_out_cooldown[lanes])
        larger = wanted > self.desired[lanes]
        capped = np.minimum(wanted, self.high[lanes])
        self._scale(lanes[larger], capped[larger], cooldown[larger], tick)

    def _scale_in(self, tick: int, lanes: Ints, values: Floats, firing: tuple[Bools, Bools]) -> None:
        desired = self.desired[lanes]
        tracking = np.where(firing[0], np.ceil(desired * values / self.target[lanes] - ROUNDING), np.nan)
        stepped = np.where(firing[1], self.in_steps.adjusted(lanes, desired, np.zeros_like(values)), np.nan)
        wanted = np.fmax(tracking, stepped)
        cooldown = np.where(stepped == wanted, self.step_in_cooldown[lanes], self.tracking_in_cooldown[lanes])
        smaller = wanted < desired
        floored = np.maximum(wanted, self.low[lanes])
        self._scale(lanes[smaller], floored[smaller], cooldown[smaller], tick)

    def _scale(self, lanes: Ints, wanted: Floats, cooldown: Floats, tick: int) -> None:
        outward = wanted > self.desired[lanes]
        self.previous[lanes] = self.desired[lanes]
        self.desired[lanes] = wanted
        self.pending_cooldown[lanes] = cooldown
        self.ends[lanes] = tick + np.where(outward, self.provisioning[lanes], self.scale_in_ticks[lanes])
        self.serving = self.serving.copy()  # what was yielded stays as it was
        self.serving[lanes[~outward]] = wanted[~outward]
        self.scale_in_until[lanes[outward]] = -np.inf
