"""DeploymentConfig: how an update moves traffic, and what AWS refuses in it.

A share of a fleet is rounded up to whole instances (assumed: the documentation gives no rule), and the traffic follows
the instances: two of eight get a quarter of it.

References
----------
SageMaker API: DeploymentConfig, TrafficRoutingConfig, RollingUpdatePolicy; developer guide, "Deployment guardrails".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.sagemaker.exceptions import ValidationError

from sandbox.runtime import Runtime
from sandbox.sagemaker.requests import Request

SIZES = {"CANARY": ("CanarySize", 0, 50), "LINEAR": ("LinearStepSize", 10, 50), "ROLLING": ("MaximumBatchSize", 5, 50)}
WHOLE = {"Type": "CAPACITY_PERCENT", "Value": 100}
DEFAULT_TIMEOUT_SECONDS = 28_800.0  # assumed: the longest one may ask for


@dataclass(frozen=True)
class UpdatePolicy:
    """How one update goes.

    Parameters
    ----------
    kind : str
        ALL_AT_ONCE, CANARY, LINEAR or ROLLING.
    size, rollback_size : dict
        CapacitySize of the canary, of a step or of a batch, and of a batch on the way back.
    wait_seconds, termination_seconds, timeout_seconds : float
        In the sandbox's time.
    alarms : tuple of str
        Names; one in ALARM ends the update.
    """

    kind: str
    size: Mapping[str, Any]
    rollback_size: Mapping[str, Any]
    wait_seconds: float
    termination_seconds: float
    timeout_seconds: float
    alarms: tuple[str, ...]

    @classmethod
    def of(cls, request: Request) -> UpdatePolicy:
        """Read the DeploymentConfig of a request; without one everything moves at once, unwatched."""
        config = request.get("DeploymentConfig") or {}
        rolling, blue_green = config.get("RollingUpdatePolicy"), config.get("BlueGreenUpdatePolicy") or {}
        if rolling and blue_green:
            raise ValidationError("DeploymentConfig takes BlueGreenUpdatePolicy or RollingUpdatePolicy, not both")
        routing = rolling or blue_green.get("TrafficRoutingConfiguration") or {}
        kind = "ROLLING" if rolling else routing.get("Type", "ALL_AT_ONCE")
        key = SIZES[kind][0] if kind in SIZES else ""
        if key and not routing.get(key):
            raise ValidationError(f"{key} is missing: {kind} needs it")
        policy = rolling or blue_green
        alarms = (config.get("AutoRollbackConfiguration") or {}).get("Alarms") or []
        return cls(
            kind=kind,
            size=routing.get(key) or WHOLE,
            rollback_size=routing.get("RollbackMaximumBatchSize") or WHOLE,
            wait_seconds=routing.get("WaitIntervalInSeconds", 0),
            termination_seconds=policy.get("TerminationWaitInSeconds") or 0,
            timeout_seconds=policy.get("MaximumExecutionTimeoutInSeconds") or DEFAULT_TIMEOUT_SECONDS,
            alarms=tuple(alarm["AlarmName"] for alarm in alarms),
        )

    @property
    def guarded(self) -> bool:
        """Whether old and new fleet serve side by side."""
        return self.kind != "ALL_AT_ONCE" or bool(self.alarms) or self.wait_seconds > 0

    def check(self, runtime: Runtime, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Refuse with a ValidationError what AWS refuses.

        Parameters
        ----------
        before, after : Mapping of str to int
            Instances by variant.
        """
        problems = [*self._unknown_alarms(runtime), *self._wrong_sizes(after)]
        if self.guarded and before.keys() != after.keys():
            problems.append(f"variants must keep their names: {', '.join(before)} became {', '.join(after)}")
        if self.kind == "ROLLING" and len(after) > 1:
            problems.append(f"a rolling update takes one variant, there are {len(after)}")
        if problems:
            raise ValidationError("Invalid DeploymentConfig: " + "; ".join(problems))

    def steps(self, fleet: int) -> list[int]:
        """Return how many new instances have traffic after each step; the last is all of them."""
        size = instances(self.size, fleet)
        if self.kind in {"LINEAR", "ROLLING"}:
            return [*range(size, fleet, size), fleet]
        return [size, fleet] if size < fleet else [fleet]

    def rollback_steps(self, missing: int, fleet: int) -> list[int]:
        """Return how many of the `missing` old instances of a `fleet` are back after each step of a way back."""
        size = instances(self.rollback_size, fleet)
        return [*range(size, missing, size), missing] if missing else []

    def _unknown_alarms(self, runtime: Runtime) -> list[str]:
        if not self.alarms:
            return []
        found = runtime.client("cloudwatch").describe_alarms(AlarmNames=list(self.alarms))["MetricAlarms"]
        missing = sorted(set(self.alarms) - {alarm["AlarmName"] for alarm in found})
        return [f"there is no alarm {name}" for name in missing]

    def _wrong_sizes(self, after: Mapping[str, int]) -> list[str]:
        if self.kind not in SIZES:
            return []
        key, low, high = SIZES[self.kind]
        problems = []
        for variant, fleet in after.items():
            value = self.size["Value"]
            share = value if self.size["Type"] == "CAPACITY_PERCENT" else 100 * value / fleet
            if not low <= share <= high or fleet < 2:
                problems.append(
                    f"{key} is {share:g} % of the {fleet} instance(s) of variant {variant}; {low} to {high} % of at "
                    "least 2 are allowed"
                )
        return problems


def instances(size: Mapping[str, Any], fleet: int) -> int:
    """Return how many instances of a fleet a CapacitySize is: at least one, at most all."""
    value: int = size["Value"]
    wanted = value if size["Type"] == "INSTANCE_COUNT" else math.ceil(fleet * value / 100)
    return max(1, min(wanted, fleet))
