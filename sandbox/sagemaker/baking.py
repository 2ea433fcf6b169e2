"""The time an update waits between its steps, with an eye on alarms: SageMaker's baking period."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

POLL_SECONDS = 0.1
EVALUATION_PATIENCE_SECONDS = 120.0  # for the scaler's look at the last minute; longer and something is wrong with it


class AlarmError(Exception):
    """An alarm went off during an update; the text is fit for a FailureReason."""


class GoingDownError(Exception):
    """The sandbox ends; nobody waits any more."""


class Oven:
    """Waits in the sandbox's time; the scaler sets that time and evaluates the alarms.

    Where nobody evaluates alarms, only their states count, whoever sets them.
    """

    def __init__(self) -> None:
        self.time_scale = 1.0
        self._evaluated: float | None = None

    def evaluated(self, begun: float) -> None:
        """Learn that the alarms now stand as everything before `begun` (monotonic clock) makes them."""
        self._evaluated = begun

    def bake(self, seconds: float, cloudwatch: Any, alarms: Sequence[str], closing: threading.Event) -> None:
        """Wait `seconds` of the sandbox's time, and until the alarms have been evaluated with what happened in it.

        Parameters
        ----------
        cloudwatch : boto3 client
            Of the role that looks at the alarms.

        Raises
        ------
        AlarmError
            One of `alarms` is in ALARM.
        GoingDownError
            `closing` was set.
        """
        end = time.monotonic() + seconds / self.time_scale
        while True:
            _check(cloudwatch, alarms)
            now = time.monotonic()
            if now >= end and (self._has_evaluated(end) or not alarms or now >= end + EVALUATION_PATIENCE_SECONDS):
                return
            if closing.wait(POLL_SECONDS):
                raise GoingDownError("The sandbox is going down")

    def _has_evaluated(self, end: float) -> bool:
        return self._evaluated is None or self._evaluated >= end


def _check(cloudwatch: Any, alarms: Sequence[str]) -> None:
    if not alarms:
        return
    described = cloudwatch.describe_alarms(AlarmNames=list(alarms))["MetricAlarms"]
    if tripped := sorted(alarm["AlarmName"] for alarm in described if alarm["StateValue"] == "ALARM"):
        raise AlarmError(f"One or more alarms went off during the update: {', '.join(tripped)}")
