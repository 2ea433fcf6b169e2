"""Policies of many lanes as arrays: which ones can run in a lane, their alarms and their steps."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoscaling.delays import Delays
from autoscaling.latency import Floats
from autoscaling.policies import StepScalingPolicy, TargetTrackingPolicy, VariantScaling

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MINUTE = 60.0
"""Length of a tick, in seconds."""
NEVER = 1 << 60


def problem_with(scaling: VariantScaling, delays: Delays) -> str | None:
    """Say why a policy or a delay cannot run in a lane.

    Parameters
    ----------
    scaling, delays
        What would be simulated.

    Returns
    -------
    str or None
        None if it can.
    """
    if not isinstance(delays.provisioning_seconds, float | int):
        return "provisioning time is not fixed"
    if any(policy.metric != "invocations_per_instance" for policy in scaling.scaling_policies):
        return "a metric other than invocations per instance"
    kinds = [_slot(policy) for policy in scaling.scaling_policies]
    if kinds != sorted(set(kinds)):
        return "not at most one target-tracking, one outward and one inward step policy, in this order"
    for policy in scaling.scaling_policies:
        if isinstance(policy, StepScalingPolicy) and (problem := _problem_with_step(policy)):
            return problem
    return None


def _slot(policy: TargetTrackingPolicy | StepScalingPolicy) -> int:
    if isinstance(policy, TargetTrackingPolicy):
        return 0
    return 1 if policy.comparison == "greater_than_or_equal" else 2


def _problem_with_step(policy: StepScalingPolicy) -> str | None:
    outward = policy.comparison == "greater_than_or_equal"
    if policy.period_seconds != MINUTE or policy.effective_datapoints_to_alarm != policy.evaluation_periods:
        return "a step alarm that is not N of N minutes"
    if policy.comparison not in {"greater_than_or_equal", "less_than_or_equal"}:
        return "a step alarm that leaves its threshold out"
    if policy.adjustment_type == "exact_capacity" or policy.min_adjustment_magnitude is not None:
        return "an exact capacity or a minimum magnitude"
    if any((step.adjustment > 0) != outward for step in policy.steps):
        return "a step against the direction of its alarm"
    if outward and policy.evaluation_periods == 1 and min(step.lower for step in policy.steps) == 0:
        return None
    one_for_all = len(policy.steps) == 1 and 0.0 in {policy.steps[0].lower, policy.steps[0].upper}
    return None if one_for_all else "several steps over more than one datapoint"


class LaneAlarms:
    """One alarm of each lane that has it: N of N datapoints beyond a threshold."""

    def __init__(self, thresholds: Floats, lengths: Ints, *, above: bool, inclusive: bool, delay: Ints) -> None:
        self.thresholds = thresholds  # nan where a lane has no such alarm
        self.lengths = lengths
        compare = {(True, False): np.greater, (True, True): np.greater_equal, (False, False): np.less}
        self.compare = compare.get((above, inclusive), np.less_equal)
        self.delay = delay
        self.absent = bool(np.isnan(thresholds).all())
        self.nowhere: Bools = np.zeros(thresholds.size, dtype=np.bool_)
        self.runs: Ints = np.zeros(thresholds.size, dtype=np.int64)

    def observe(self, values: Floats) -> Bools:
        """Take one datapoint a lane, and tell where the alarm's action is due."""
        if self.absent:
            return self.nowhere
        self.runs = np.where(self.compare(values, self.thresholds), self.runs + 1, 0)
        due: Bools = self.runs >= self.lengths + self.delay
        return due


class LaneSteps:
    """Step adjustments of each lane in one direction: a single step, or steps that tile from 0 upwards."""

    def __init__(self, policies: Sequence[StepScalingPolicy | None]) -> None:
        most = max((len(policy.steps) for policy in policies if policy), default=1)
        self.lower = np.full((most, len(policies)), np.inf)
        self.adjustment = np.zeros((most, len(policies)))
        self.percent = np.array([bool(policy and policy.adjustment_type.startswith("percent")) for policy in policies])
        for lane, policy in enumerate(policies):
            for row, step in enumerate(sorted(policy.steps, key=lambda step: step.lower) if policy else ()):
                self.lower[row, lane], self.adjustment[row, lane] = step.lower, step.adjustment

    def adjusted(self, lanes: Ints, capacity: Floats, beyond: Floats) -> Floats:
        """Adjust the capacity of some lanes as their policies want it.

        Parameters
        ----------
        lanes
            Which ones.
        capacity, beyond : ndarray of shape (n_chosen,)
            Their capacity, and how far their metric is beyond the threshold.

        Returns
        -------
        ndarray of shape (n_chosen,)
            Unchanged where a lane has no such policy.
        """
        row = np.maximum((self.lower[:, lanes] <= beyond).sum(axis=0) - 1, 0)
        adjustment = self.adjustment[row, lanes]
        in_percent = np.maximum(abs(capacity * adjustment) // 100, 1.0)
        magnitude = np.where(self.percent[lanes], in_percent, abs(adjustment))
        wanted: Floats = np.maximum(capacity + np.sign(adjustment) * magnitude, 0.0)
        return wanted


def fixed_provisioning(delays: Delays) -> float:
    """Read a provisioning time that problem_with has accepted, in seconds."""
    seconds = delays.provisioning_seconds
    assert isinstance(seconds, float | int)
    return seconds


def tracking_of(scaling: VariantScaling) -> TargetTrackingPolicy | None:
    """Pick the target-tracking policy of a lane."""
    return next((policy for policy in scaling.scaling_policies if isinstance(policy, TargetTrackingPolicy)), None)


def steps_of(scaling: VariantScaling, *, outward: bool) -> StepScalingPolicy | None:
    """Pick the step policy of a lane that scales out, or the one that scales in."""
    steps = (policy for policy in scaling.scaling_policies if isinstance(policy, StepScalingPolicy))
    return next((policy for policy in steps if (_slot(policy) == 1) == outward), None)


def column(policies: Sequence[TargetTrackingPolicy | StepScalingPolicy | None], field: str) -> Floats:
    """Collect one number a lane, nan where it has no such policy."""
    return np.array([math.nan if policy is None else getattr(policy, field) for policy in policies], dtype=float)


def lengths(policies: Sequence[StepScalingPolicy | None]) -> Ints:
    """Collect the evaluation periods of the lanes' alarms; one that no run reaches where a lane has none."""
    return np.array([policy.evaluation_periods if policy else NEVER for policy in policies], dtype=np.int64)
