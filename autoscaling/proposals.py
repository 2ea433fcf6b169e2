"""Where autoscaling cannot help, and what would: peaks that end before an instance can come, capacity, schedules."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoscaling.alarms import SCALE_OUT_DATAPOINTS
from autoscaling.delays import Delays
from autoscaling.judging import Appraisal, InstanceOption, Score, Setting, judge
from autoscaling.policies import MAX_SCHEDULED_ACTIONS, Policy, ScheduledAction, VariantScaling
from autoscaling.schedule_floor import DAY_MINUTES, usual_load
from autoscaling.search import Candidate
from autoscaling.service_level import demand
from autoscaling.simulator import simulate
from autoscaling.workload import OpenLoop

_GAP_MINUTES = 2  # a peak may dip for so long
_LEAD_MINUTES = 15  # a schedule asks so much earlier: provisioning, and a margin


class Peak(NamedTuple):
    """Minutes in a row that need more instances than their usual load does."""

    begin: int
    end: int
    """First minute after it."""
    instances: int
    """What its highest minute needs."""


@dataclass(frozen=True)
class Peaks:
    """Peaks of a workload, and how many of the choice's violating minutes lie in those that end before help comes."""

    peaks: tuple[Peak, ...]
    relief_minutes: tuple[int, int]
    """From a peak's beginning to the instances: fastest step alarm, slowest target tracking."""
    short: int
    """Peaks that end before the slowest relief."""
    violating_minutes: int
    violating_in_short: int

    @property
    def too_short_for_scaling(self) -> bool:
        """Whether most of the trouble ends before an instance can come."""
        return 2 * self.violating_in_short > self.violating_minutes

    @property
    def verdict(self) -> str:
        """Say it plainly."""
        fastest, slowest = self.relief_minutes
        return (
            f"Autoscaling cannot help here: {self.violating_in_short} of {self.violating_minutes} violating minutes "
            f"lie in {self.short} peaks of under {slowest} minutes, and an instance takes {fastest} to {slowest} "
            "minutes to come. Keep capacity ready, or schedule it where the times are known."
        )


class Proposal(NamedTuple):
    """What would keep the error limit, or come nearer to it, for more money."""

    kind: Literal["capacity", "schedule", "policy"]
    text: str
    option: InstanceOption
    policy: VariantScaling
    score: Score

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        policy = self.policy.model_dump(mode="json", exclude_none=True)
        return {
            "kind": self.kind,
            "text": self.text,
            "instance_type": self.option.instance_type,
            **self.score._asdict(),
            "policy": policy,
        }


def relief_minutes(delays: Sequence[Delays]) -> tuple[int, int]:
    """Time from a surge to the instances that answer it.

    Parameters
    ----------
    delays
        Settings with fixed provisioning times.

    Returns
    -------
    tuple of int, minutes
        One datapoint at the fastest setting, target tracking's three at the slowest.
    """
    seconds = [
        setting.publication_lag_seconds + setting.action_delay_seconds + setting.provisioning_seconds
        for setting in delays
        if isinstance(setting.provisioning_seconds, float | int)
    ]
    return math.ceil(1 + min(seconds) / 60), math.ceil(SCALE_OUT_DATAPOINTS + max(seconds) / 60)


def find_peaks(workload: OpenLoop, chosen: Appraisal, option: InstanceOption, setting: Setting) -> Peaks:
    """Find peaks, and how much of the choice's trouble lies in the short ones.

    Parameters
    ----------
    workload, chosen, option, setting
        The plan's.

    Returns
    -------
    Peaks
        In order of time.
    """
    needed = demand(workload, option.capacity, setting.slo)
    usual = demand(OpenLoop(usual_load(workload)), option.capacity, setting.slo)
    peaks = tuple(
        Peak(begin, end, int(needed[begin:end].max())) for begin, end in _runs(needed > np.ceil(1.25 * usual))
    )
    relief = relief_minutes(setting.delays)
    short = [peak for peak in peaks if peak.end - peak.begin < relief[1]]
    violating = _often_violating(workload, chosen.policy, option, setting)
    in_short = np.zeros_like(violating)
    for peak in short:
        in_short[peak.begin : peak.end + 1] = True  # the backlog of its last minute is its doing, too
    return Peaks(peaks, relief, len(short), int(violating.sum()), int((violating & in_short).sum()))


def _runs(above: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Begin and end of the stretches that are above, across short gaps."""
    minutes = np.flatnonzero(above)
    if minutes.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(minutes) > _GAP_MINUTES + 1)
    begins = minutes[np.concatenate([[0], breaks + 1])]
    ends = minutes[np.concatenate([breaks, [minutes.size - 1]])] + 1
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def _often_violating(
    workload: OpenLoop, policy: VariantScaling, option: InstanceOption, setting: Setting
) -> NDArray[np.bool_]:
    """Minutes that violate at half of the delay settings or more."""
    counts = np.zeros(workload.minutes)
    for delays in setting.delays:
        counts += simulate(
            policy, workload, capacity=option.capacity, slo=setting.slo, delays=delays, starts_at=setting.starts_at
        ).violating
    often: NDArray[np.bool_] = 2 * counts >= len(setting.delays)
    return often & (counts > 0)


def propose(
    workload: OpenLoop, chosen: Candidate, peaks: Peaks, setting: Setting, max_error_share: float
) -> list[Proposal]:
    """Propose what would keep the error limit.

    Parameters
    ----------
    workload, chosen, peaks, setting
        The plan's.
    max_error_share
        The limit.

    Returns
    -------
    list of Proposal
        Capacity that is always there, and a schedule for the peaks that were seen, where they exist.
    """
    found = [_capacity(workload, chosen, max_error_share, setting), _schedule(workload, chosen, peaks, setting)]
    return [proposal for proposal in found if proposal is not None]


def _capacity(workload: OpenLoop, chosen: Candidate, max_error_share: float, setting: Setting) -> Proposal | None:
    policies = [
        chosen.policy.model_copy(update={"min_capacity": count})
        for count in range(chosen.policy.min_capacity + 1, chosen.policy.max_capacity + 1)
    ]
    policies = [VariantScaling.model_validate(_without_schedule(policy)) for policy in policies]
    scores = judge(policies, workload, chosen.option, setting) if policies else []
    for policy, score in zip(policies, scores, strict=True):
        if score.worst_error_share <= max_error_share:
            text = f"min_capacity = {policy.min_capacity}: the fewest instances kept ready that keep the error limit"
            return Proposal("capacity", text, chosen.option, policy, score)
    return None


def _without_schedule(policy: VariantScaling) -> dict[str, Any]:
    return {
        "min_capacity": policy.min_capacity,
        "max_capacity": policy.max_capacity,
        "policies": policy.scaling_policies,
    }


def _schedule(workload: OpenLoop, chosen: Candidate, peaks: Peaks, setting: Setting) -> Proposal | None:
    actions: list[Policy] = []
    for begin, end, instances in _merged(peaks.peaks):
        count = min(instances, chosen.policy.max_capacity)
        actions.append(_daily(begin - _LEAD_MINUTES, count, setting))
        actions.append(_daily(end, chosen.policy.min_capacity, setting))
    names = {action.name for action in actions}
    if (
        not actions
        or len(actions) > MAX_SCHEDULED_ACTIONS
        or len(names) < len(actions)
        or workload.minutes > DAY_MINUTES
    ):
        return None
    policy = VariantScaling(
        min_capacity=chosen.policy.min_capacity,
        max_capacity=chosen.policy.max_capacity,
        policies=(*chosen.policy.scaling_policies, *actions),
    )
    score = judge([policy], workload, chosen.option, setting)[0]
    text = "a schedule for the peaks that were seen: only if they come at these times again"
    return Proposal("schedule", text, chosen.option, policy, score)


def _merged(peaks: Sequence[Peak]) -> list[Peak]:
    """Join peaks between which a schedule has no time to go down and up again."""
    merged: list[Peak] = []
    for peak in peaks:
        if merged and peak.begin - merged[-1].end <= 2 * _LEAD_MINUTES:
            last = merged.pop()
            peak = Peak(last.begin, peak.end, max(last.instances, peak.instances))  # noqa: PLW2901 -- grown
        merged.append(peak)
    return merged


def _daily(minute: int, count: int, setting: Setting) -> ScheduledAction:
    midnight = setting.starts_at.hour * 60 + setting.starts_at.minute
    of_day = (midnight + minute) % DAY_MINUTES
    return ScheduledAction(
        name=f"peak-{of_day // 60:02}{of_day % 60:02}",
        schedule=f"cron({of_day % 60} {of_day // 60} * * ? *)",
        min_capacity=count,
    )
