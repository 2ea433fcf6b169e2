"""Scaling policies as values: what is written in TOML, deployed, simulated and executed by the sandbox.

One object describes one policy of Application Auto Scaling on a SageMaker real-time variant. Limits and defaults are
AWS's; a value AWS would refuse at deploy time is refused here, with the reason.

References
----------
Application Auto Scaling API reference: PutScalingPolicy, PutScheduledAction, RegisterScalableTarget, and "Quotas".
CloudWatch API reference: PutMetricAlarm.
"""

import math
from collections import Counter
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from autoscaling.schedules import parse_schedule

MAX_SCALING_POLICIES = 50  # a scalable target; Application Auto Scaling quotas
MAX_SCHEDULED_ACTIONS = 200  # a scalable target; Application Auto Scaling quotas
MAX_STEP_ADJUSTMENTS = 20  # a step scaling policy; Application Auto Scaling quotas

Metric = Literal["invocations_per_instance", "concurrent_requests_per_model", "cpu_utilization"]
Statistic = Literal["sum", "average", "minimum", "maximum"]
Comparison = Literal["greater_than_or_equal", "greater_than", "less_than_or_equal", "less_than"]
MissingData = Literal["missing", "ignore", "breaching", "not_breaching"]
AdjustmentType = Literal["change_in_capacity", "percent_change_in_capacity", "exact_capacity"]

# What SageMaker's "Monitor with CloudWatch" calls valid. InvocationsPerInstance knows only Sum: each request adds 1/n.
# Concurrency knows only Min and Max. The first one is a policy's default.
STATISTICS: dict[Metric, tuple[Statistic, ...]] = {
    "invocations_per_instance": ("sum",),
    "concurrent_requests_per_model": ("maximum", "minimum"),
    "cpu_utilization": ("average", "maximum", "minimum"),
}
HIGH_RESOLUTION_METRIC: Metric = "concurrent_requests_per_model"  # emitted every 10 s, all others every 60 s

Count = Annotated[int, Field(strict=True)]
Seconds = Annotated[int, Field(strict=True, ge=0)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9_.-]+$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TargetTrackingPolicy(_Frozen):
    """Keep a metric near a target; AWS creates and owns the two alarms."""

    kind: Literal["target_tracking"] = "target_tracking"
    name: Name | None = None
    """Unique within the variant; by default kind and metric, e.g. `target-tracking-invocations-per-instance`."""
    metric: Metric = "invocations_per_instance"
    target: Annotated[float, Field(strict=True, gt=0, lt=2.0**360, allow_inf_nan=False)]
    """Invocations / minute / instance, concurrent requests / model, or per cent (0 to 100 x vCPU)."""
    scale_out_cooldown_seconds: Seconds = 300
    scale_in_cooldown_seconds: Seconds = 300
    disable_scale_in: bool = False


class StepAdjustment(_Frozen):
    """One step: how far the metric is beyond the threshold, and what to do then."""

    lower_bound: Number | None = None
    """Relative to the threshold; absent means minus infinity. Inclusive above the threshold, exclusive below it."""
    upper_bound: Number | None = None
    """Relative to the threshold; absent means infinity. Exclusive above the threshold, inclusive below it."""
    adjustment: Count
    """Instances, per cent or the exact capacity, as the policy's adjustment_type says."""

    @model_validator(mode="after")
    def _bounds_are_a_range(self) -> Self:
        if self.lower_bound is None and self.upper_bound is None:
            raise ValueError("a step without any bound; AWS wants lower_bound, upper_bound or both")
        if self.lower < self.upper:
            return self
        raise ValueError(f"lower_bound {self.lower_bound} is not below upper_bound {self.upper_bound}; widen them")

    @property
    def lower(self) -> float:
        """Lower bound, relative to the threshold."""
        return -math.inf if self.lower_bound is None else self.lower_bound

    @property
    def upper(self) -> float:
        """Upper bound, relative to the threshold."""
        return math.inf if self.upper_bound is None else self.upper_bound


class StepScalingPolicy(_Frozen):
    """Change capacity by steps when an alarm of one's own fires."""

    kind: Literal["step"] = "step"
    name: Name | None = None
    metric: Metric = "invocations_per_instance"
    statistic: Statistic | None = None
    """By default sum for invocations per instance, maximum for concurrency, average for CPU."""
    period_seconds: Count = 60
    """10, 20, 30 or a multiple of 60; below 60 only for the high-resolution metric."""
    threshold: Number
    comparison: Comparison = "greater_than_or_equal"
    evaluation_periods: Annotated[int, Field(strict=True, ge=1)] = 1
    datapoints_to_alarm: Annotated[int, Field(strict=True, ge=1)] | None = None
    """M of N: how many of the last evaluation_periods must breach; by default all."""
    missing_data: MissingData = "missing"
    adjustment_type: AdjustmentType = "change_in_capacity"
    steps: Annotated[tuple[StepAdjustment, ...], Field(min_length=1, max_length=MAX_STEP_ADJUSTMENTS)]
    metric_aggregation_type: Literal["average", "minimum", "maximum"] = "average"
    min_adjustment_magnitude: Annotated[int, Field(strict=True, ge=1)] | None = None
    """Smallest change in instances; only with percent_change_in_capacity."""
    cooldown_seconds: Seconds = 300
    """AWS applies 300 s when the field is absent (not "no cooldown", as CDK's text says)."""

    @field_validator("steps")
    @classmethod
    def _steps_tile_their_range(cls, steps: tuple[StepAdjustment, ...]) -> tuple[StepAdjustment, ...]:
        ordered = sorted(steps, key=lambda step: step.lower)
        problems = []
        for before, after in pairwise(ordered):
            if before.upper > after.lower:
                problems.append(f"steps overlap between {after.lower} and {min(before.upper, after.upper)}")
            elif before.upper < after.lower:
                problems.append(f"steps leave a gap between {before.upper} and {after.lower}")
        if -math.inf < ordered[0].lower < 0:
            problems.append(f"the lowest step starts at {ordered[0].lower}; AWS wants it open there (no lower_bound)")
        if 0 < ordered[-1].upper < math.inf:
            problems.append(f"the highest step ends at {ordered[-1].upper}; AWS wants it open there (no upper_bound)")
        if problems:
            raise ValueError("; ".join(problems))
        return steps

    @model_validator(mode="after")
    def _alarm_is_one_cloudwatch_accepts(self) -> Self:
        problems = [*_alarm_problems(self), *_adjustment_problems(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @cached_property
    def ranges(self) -> tuple[tuple[float, float, int], ...]:
        """Lower bound, upper bound and adjustment of each step, in order of the steps."""
        return tuple((step.lower, step.upper, step.adjustment) for step in self.steps)

    @property
    def effective_statistic(self) -> Statistic:
        """The alarm's statistic, with the metric's default filled in."""
        return self.statistic or STATISTICS[self.metric][0]

    @property
    def effective_datapoints_to_alarm(self) -> int:
        """M of the alarm's M of N, with CloudWatch's default (N) filled in."""
        return self.evaluation_periods if self.datapoints_to_alarm is None else self.datapoints_to_alarm


def _alarm_problems(policy: StepScalingPolicy) -> list[str]:
    problems = []
    allowed = STATISTICS[policy.metric]
    if policy.effective_statistic not in allowed:
        problems.append(
            f"statistic {policy.statistic!r} of {policy.metric} means nothing; allowed: {', '.join(allowed)}"
        )
    period, high_resolution = policy.period_seconds, policy.metric == HIGH_RESOLUTION_METRIC
    if not (period >= 60 and period % 60 == 0) and not (high_resolution and period in {10, 20, 30}):
        also = " or 10, 20, 30" if high_resolution else f" (10, 20 and 30 only for {HIGH_RESOLUTION_METRIC})"
        problems.append(f"period_seconds {period}; allowed: a multiple of 60{also}")
    window, longest = period * policy.evaluation_periods, 604_800 if period >= 3600 else 86_400
    if window > longest:
        problems.append(f"period_seconds x evaluation_periods = {window} s; CloudWatch allows at most {longest} s")
    if policy.effective_datapoints_to_alarm > policy.evaluation_periods:
        problems.append(
            f"datapoints_to_alarm {policy.datapoints_to_alarm} > evaluation_periods {policy.evaluation_periods}"
        )
    return problems


def _adjustment_problems(policy: StepScalingPolicy) -> list[str]:
    problems = []
    if policy.min_adjustment_magnitude is not None and policy.adjustment_type != "percent_change_in_capacity":
        problems.append("min_adjustment_magnitude works only with percent_change_in_capacity; remove it")
    negative = [step.adjustment for step in policy.steps if step.adjustment < 0]
    if policy.adjustment_type == "exact_capacity" and negative:
        problems.append(f"exact_capacity {negative[0]}; a capacity is 0 or more")
    return problems


class ScheduledAction(_Frozen):
    """Set the bounds at a time; capacity is moved into them at once, and nothing reverts afterwards."""

    kind: Literal["scheduled"] = "scheduled"
    name: Name | None = None
    schedule: Annotated[str, Field(min_length=1, max_length=1600)]
    """`at(yyyy-mm-ddThh:mm:ss)`, `rate(value unit)` or `cron(minute hour day-of-month month day-of-week year)`."""
    timezone: str = "UTC"
    """IANA name; at and cron follow its clock, daylight saving time included."""
    start_time: datetime | None = None
    end_time: datetime | None = None
    min_capacity: Annotated[int, Field(strict=True, ge=1)] | None = None
    max_capacity: Annotated[int, Field(strict=True, ge=1)] | None = None

    @field_validator("schedule")
    @classmethod
    def _schedule_is_one_aws_accepts(cls, text: str) -> str:
        parse_schedule(text)
        return text

    @field_validator("timezone")
    @classmethod
    def _timezone_is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # not found; not a relative path; a directory of the database
            raise ValueError(f"unknown time zone {name!r}; use an IANA name such as 'Europe/Berlin'") from None
        return name

    @field_validator("start_time", "end_time")
    @classmethod
    def _time_is_utc(cls, time: datetime | None) -> datetime | None:
        if time is None:
            return None
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)

    @model_validator(mode="after")
    def _action_does_something(self) -> Self:
        problems = []
        if self.min_capacity is None and self.max_capacity is None:
            problems.append("neither min_capacity nor max_capacity; an action sets one of them or both")
        if self.min_capacity is not None and self.max_capacity is not None and self.min_capacity > self.max_capacity:
            problems.append(f"min_capacity {self.min_capacity} > max_capacity {self.max_capacity}")
        if self.start_time and self.end_time and self.end_time <= self.start_time:
            problems.append(f"end_time {self.end_time} is not after start_time {self.start_time}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


Policy = Annotated[TargetTrackingPolicy | StepScalingPolicy | ScheduledAction, Field(discriminator="kind")]


class VariantScaling(_Frozen):
    """The scalable target of one variant and all its policies."""

    min_capacity: Annotated[int, Field(strict=True, ge=1)] = 1
    """A real-time variant keeps at least one instance."""
    max_capacity: Annotated[int, Field(strict=True, ge=1)]
    policies: tuple[Policy, ...] = ()

    @model_validator(mode="after")
    def _target_is_one_aws_accepts(self) -> Self:
        problems = []
        if self.min_capacity > self.max_capacity:
            problems.append(f"min_capacity {self.min_capacity} > max_capacity {self.max_capacity}")
        problems += _quota_problems(self.policies)
        problems += _uniqueness_problems(self.policies)
        highest = max([self.max_capacity, *(action.max_capacity or 0 for action in self.scheduled_actions)])
        for action in self.scheduled_actions:
            if action.max_capacity is None and (action.min_capacity or 0) > highest:
                name = policy_name(action)
                problems.append(f"{name}: min_capacity {action.min_capacity} exceeds every max_capacity ({highest})")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and most instances there can ever be, whatever a scheduled action sets."""
        least = [self.min_capacity, *(a.min_capacity for a in self.scheduled_actions if a.min_capacity is not None)]
        most = [self.max_capacity, *(a.max_capacity for a in self.scheduled_actions if a.max_capacity is not None)]
        return min(least), max(most)

    @property
    def scheduled_actions(self) -> tuple[ScheduledAction, ...]:
        """Policies of kind scheduled, in order."""
        return tuple(policy for policy in self.policies if isinstance(policy, ScheduledAction))

    @property
    def scaling_policies(self) -> tuple[TargetTrackingPolicy | StepScalingPolicy, ...]:
        """Policies that follow a metric, in order."""
        return tuple(policy for policy in self.policies if not isinstance(policy, ScheduledAction))


def _quota_problems(policies: tuple[Policy, ...]) -> list[str]:
    scheduled = sum(isinstance(policy, ScheduledAction) for policy in policies)
    problems = []
    if len(policies) - scheduled > MAX_SCALING_POLICIES:
        problems.append(f"{len(policies) - scheduled} scaling policies; AWS allows {MAX_SCALING_POLICIES} a variant")
    if scheduled > MAX_SCHEDULED_ACTIONS:
        problems.append(f"{scheduled} scheduled actions; AWS allows {MAX_SCHEDULED_ACTIONS} a variant")
    return problems


def _uniqueness_problems(policies: tuple[Policy, ...]) -> list[str]:
    """Find names that AWS would overwrite and metrics that two target-tracking policies would both follow."""
    names = Counter(policy_name(policy) for policy in policies)
    problems = [
        f"{count} policies are called {name!r}; give each its own name" for name, count in names.items() if count > 1
    ]
    metrics = Counter(policy.metric for policy in policies if isinstance(policy, TargetTrackingPolicy))
    problems += [
        f"{count} target_tracking policies on {metric}; AWS allows one for each metric"
        for metric, count in metrics.items()
        if count > 1
    ]
    return problems


def policy_name(policy: Policy) -> str:
    """Name of a policy within its variant.

    Parameters
    ----------
    policy
        Any policy.

    Returns
    -------
    str
        The name given, else one made of kind and metric (or schedule), stable across deploys.
    """
    if policy.name is not None:
        return policy.name
    if isinstance(policy, TargetTrackingPolicy):
        return f"target-tracking-{policy.metric}".replace("_", "-")
    if isinstance(policy, StepScalingPolicy):
        return f"step-{policy.metric}-{policy.comparison}-{policy.threshold:g}".replace("_", "-").replace("+", "")
    words = "".join(character if character.isalnum() else "-" for character in policy.schedule)
    return f"scheduled-{words}".rstrip("-")[:256]
