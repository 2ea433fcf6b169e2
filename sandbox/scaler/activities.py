"""Scaling activities, as DescribeScalingActivities tells them.

Not-scaled activities are kept too, one for each run of equal reasons, and told to who asks for them.
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from autoscaling.engine import Decision, Outcome
from autoscaling.result import ActivityRecord
from sandbox.scaler.deployed import DIMENSION, NAMESPACE

KEPT = 1000  # AWS keeps six weeks
_SILENT = {Outcome.NO_ALARM, Outcome.IN_COOLDOWN}  # AWS has no code for a cooldown


@dataclass(frozen=True)
class ScalingActivity:
    """One activity of one scalable target."""

    activity_id: str
    resource_id: str
    record: ActivityRecord
    not_scaled: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ScalingActivities."""
        record = self.record
        answer = {
            "ActivityId": self.activity_id,
            "ServiceNamespace": NAMESPACE,
            "ResourceId": self.resource_id,
            "ScalableDimension": DIMENSION,
            "Description": record.description,
            "Cause": record.cause,
            "StartTime": record.start_seconds,
            "EndTime": record.end_seconds,
            "StatusCode": record.status,
            "StatusMessage": record.status_message,
            "NotScaledReasons": [self.not_scaled] if self.not_scaled else None,
        }
        return {name: value for name, value in answer.items() if value is not None}


class Activities:
    """Every activity, the newest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: deque[ScalingActivity] = deque(maxlen=KEPT)

    def note(self, resource_id: str, decision: Decision, now: float) -> None:
        """Keep what a decision did, or why it did nothing.

        Parameters
        ----------
        resource_id : str
        decision : Decision
        now : float
            Seconds since the epoch, in sandbox time.
        """
        if decision.outcome in _SILENT:
            return
        if decision.outcome is Outcome.SCALED:
            record = replace(ActivityRecord.begun(decision, now), cause=decision.cause or _cause_of_bounds(decision))
            self._add(ScalingActivity(str(uuid.uuid4()), resource_id, record))
            return
        reason = _not_scaled(decision)
        with self._lock:
            newest = next((each for each in self._all if each.resource_id == resource_id), None)
        if newest is None or newest.not_scaled != reason:
            message = f"Failed to set desired instance count. Reason: {decision.description}"
            record = ActivityRecord(
                now,
                now,
                decision.previous,
                decision.previous,
                "Failed",
                decision.cause,
                "Attempting to scale due to alarm triggered",
                message,
            )
            self._add(ScalingActivity(str(uuid.uuid4()), resource_id, record, reason))

    def finish(self, resource_id: str, now: float, *, succeeded: bool) -> None:
        """End the target's activity on its way."""
        with self._lock:
            for index, each in enumerate(self._all):
                if each.resource_id == resource_id and each.record.status == "InProgress":
                    self._all[index] = replace(each, record=each.record.ended(now, succeeded=succeeded))
                    return

    def describe(self, resource_id: str | None, *, not_scaled: bool) -> list[dict[str, Any]]:
        """Return the activities of one target or of all, the newest first."""
        with self._lock:
            found = list(self._all)
        return [
            each.to_json()
            for each in found
            if resource_id in {None, each.resource_id} and (not_scaled or each.not_scaled is None)
        ]

    def _add(self, activity: ScalingActivity) -> None:
        with self._lock:
            self._all.appendleft(activity)


def _not_scaled(decision: Decision) -> dict[str, Any]:
    state = decision.state
    capacities = {
        Outcome.ALREADY_AT_MAX: {"MaxCapacity": state.max_capacity},
        Outcome.ALREADY_AT_MIN: {"MinCapacity": state.min_capacity},
        Outcome.ALREADY_AT_DESIRED: {"CurrentCapacity": state.capacity},
    }
    return {"Code": decision.outcome.value, **capacities.get(decision.outcome, {})}


def _cause_of_bounds(decision: Decision) -> str:
    """Return the cause of a change without alarm or schedule: somebody registered other bounds."""
    if decision.capacity > decision.previous:
        return f"minimum capacity was set to {decision.state.min_capacity}"
    return f"maximum capacity was set to {decision.state.max_capacity}"
