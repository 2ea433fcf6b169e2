"""Turns a follower's decisions into API calls."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from botocore.exceptions import ClientError

from autoscaling.engine import Outcome
from autoscaling.policies import ScheduledAction
from autoscaling.schedules import occurrences, parse_schedule
from sandbox.clock import moment
from sandbox.runtime import Runtime
from sandbox.scaler.activities import Activities
from sandbox.scaler.api import alarm_name
from sandbox.scaler.counters import Counts
from sandbox.scaler.deployed import DIMENSION, NAMESPACE, ScalableVariant
from sandbox.scaler.follower import Follower, explain
from sandbox.scaler.metrics import LatencyDatum, percentile
from sandbox.scaler.watched import Watched

_log = logging.getLogger(__name__)


class Driver:
    """Scales variants of the sandbox."""

    def __init__(self, runtime: Runtime, activities: Activities) -> None:
        self._runtime = runtime
        self._activities = activities

    def drive(self, target: ScalableVariant, watched: Watched, follower: Follower, now: float) -> None:
        """Let the follower decide once, and do what it says.

        Parameters
        ----------
        target : ScalableVariant
        watched : Watched
        follower : Follower
        now : float
            Seconds since the epoch, in sandbox time.
        """
        actions = target.scaling.scheduled_actions
        due = [action for action in actions if _is_due(action, now - follower.tick_seconds, now)]
        counts = watched.since_tick
        decision = follower.look(watched.sighting(), due)
        seen = follower.recorded[-1]
        if watched.recording:
            watched.recording.add(seen, _observed(counts, watched.cpu_percent))
        if seen.finished is not None:
            self._activities.finish(target.resource_id, now, succeeded=seen.finished)
        self._activities.note(target.resource_id, decision, now)
        if due:
            self._register_bounds(target, follower)
        if decision.outcome is Outcome.SCALED:
            self._set_capacity(target, decision.capacity)
        self._show_alarms(target, follower)

    def _set_capacity(self, target: ScalableVariant, capacity: int) -> None:
        wanted = [{"VariantName": target.variant, "DesiredInstanceCount": capacity}]
        try:
            self._runtime.client("sagemaker").update_endpoint_weights_and_capacities(
                EndpointName=target.endpoint, DesiredWeightsAndCapacities=wanted
            )
        except ClientError as error:  # somebody was faster; the next look finds that the activity failed
            _log.warning("%s keeps its capacity: %s", target.resource_id, error)

    def _register_bounds(self, target: ScalableVariant, follower: Follower) -> None:
        """Show the bounds that a scheduled action has set, as AWS does."""
        self._runtime.client("application-autoscaling").register_scalable_target(
            ServiceNamespace=NAMESPACE,
            ScalableDimension=DIMENSION,
            ResourceId=target.resource_id,
            MinCapacity=follower.state.min_capacity,
            MaxCapacity=follower.state.max_capacity,
        )

    def _show_alarms(self, target: ScalableVariant, follower: Follower) -> None:
        """Let CloudWatch show target tracking's alarms as they stand."""
        now = (len(follower.recorded) - 1) * follower.tick_seconds
        for alarm, reading in zip(follower.alarms, follower.readings, strict=True):
            if alarm.role != "step" and reading.since == now:
                self._runtime.client("cloudwatch").set_alarm_state(
                    AlarmName=alarm_name(target.resource_id, alarm),
                    StateValue=reading.state.value,
                    StateReason=explain(alarm, reading),
                )


def _observed(counts: Counts, cpu_percent: float) -> dict[str, Any]:
    latency = counts.latencies["ModelLatency"]
    data = [LatencyDatum("ModelLatency", [], 0.0, latency)] if latency.buckets else []
    return {
        **counts.values,
        "cpu_percent": cpu_percent,
        **{f"model_latency_p{percent}_us": percentile(data, percent) for percent in (50, 95)},
    }


def _is_due(action: ScheduledAction, after: float, until: float) -> bool:
    """Whether the action is due in the interval that ends at `until`, in sandbox time."""
    begin, end = moment(after), moment(until)
    begin = max(begin, action.start_time - timedelta(seconds=1)) if action.start_time else begin
    end = min(end, action.end_time) if action.end_time else end
    origin = action.start_time or moment(0.0)  # AWS: when the action was created
    return bool(occurrences(parse_schedule(action.schedule), ZoneInfo(action.timezone), begin, end, origin))
