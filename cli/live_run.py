"""The article's load test against the sandbox, compressed, with the scaling it provokes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaling.policies import TargetTrackingPolicy, VariantScaling
from autoscaling.workload import ClosedLoop, staged
from cli.deployment import Deployment
from loadtest.closed_loop_client import Burst, drive
from sandbox import live
from sandbox.runtime import Runtime
from sandbox.scaler.conditions import Conditions
from sandbox.scaler.recording import Recording

ARTICLE_USERS, ARTICLE_RPS = 1000, 1200.0
ARTICLE_OUTSIDE_SECONDS = 0.664  # latency outside the instance; here the users pause as long (docs/model.md)
RAMP_MINUTES, HOLD_MINUTES, MOST_INSTANCES = 10, 10, 10
PROVISIONING_SECONDS = 345.0  # the article's 5 to 7 minutes; with the process's own start, the sixth minute
_NAMESPACE, _DIMENSION = "sagemaker", "sagemaker:variant:DesiredInstanceCount"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One live test.

    Parameters
    ----------
    name : str
    target : float or None
        Invocations / minute / instance of the article's policy; None: no scaling.
    instance_rps : float
        What an instance serves; users and target shrink by the same factor.
    time_scale : float
        How many times faster the sandbox's clock runs.
    """

    name: str
    target: float | None
    instance_rps: float
    time_scale: float

    @property
    def factor(self) -> float:
        """Size of this test relative to the article's."""
        return self.instance_rps / ARTICLE_RPS

    @property
    def users(self) -> int:
        """Users at the end of the ramp."""
        return round(ARTICLE_USERS * self.factor)

    @property
    def scaled_target(self) -> float | None:
        """Target of the policy that is put on."""
        return None if self.target is None else self.target * self.factor

    @property
    def scaling(self) -> VariantScaling:
        """What is put on the variant, and simulated."""
        target = self.scaled_target
        policies = () if target is None else (TargetTrackingPolicy(name="article", target=target),)
        return VariantScaling(max_capacity=MOST_INSTANCES, policies=policies)

    @property
    def workload(self) -> ClosedLoop:
        """The users, for the simulator."""
        stages = [(float(self.users), RAMP_MINUTES), (float(self.users), HOLD_MINUTES)]
        return staged(stages, think_time_seconds=ARTICLE_OUTSIDE_SECONDS)

    @property
    def conditions(self) -> Conditions:
        """Of the sandbox."""
        return Conditions(
            time_scale=self.time_scale,
            instance_max_rps=self.instance_rps,
            provisioning_seconds=PROVISIONING_SECONDS,
        )


@dataclass(frozen=True, kw_only=True)
class LiveRun:
    """What one live test gave.

    Parameters
    ----------
    plan : Plan
    burst : Burst
        What the users saw.
    recording : Recording
        What the scaler saw and decided, from some minutes before the users came.
    began : float
        When they came: a whole minute, seconds since the epoch in sandbox time.
    activities : list of dict
        Of DescribeScalingActivities, the oldest first.
    """

    plan: Plan
    burst: Burst
    recording: Recording
    began: float
    activities: list[dict[str, Any]]

    @property
    def first_tick(self) -> int:
        """The recording's tick at which the users came."""
        return round((self.began - self.recording.started) / self.recording.tick_seconds)


class Stage:
    """The deployed variant that the tests are run on; everything is put back afterwards.

    Parameters
    ----------
    runtime : Runtime
        The sandbox.
    endpoint, variant : str
    """

    def __init__(self, runtime: Runtime, endpoint: str, variant: str) -> None:
        self._runtime = runtime
        self._endpoint, self._variant = endpoint, variant
        self.resource_id = f"endpoint/{endpoint}/variant/{variant}"
        self._target = {
            "ServiceNamespace": _NAMESPACE,
            "ScalableDimension": _DIMENSION,
            "ResourceId": self.resource_id,
        }
        self._scaling = runtime.client("application-autoscaling")
        self._sagemaker = runtime.client("sagemaker")

    @classmethod
    def of(cls, deployment: Deployment) -> Stage:
        """Return the stage of a deployment in the sandbox."""
        if deployment.runtime is None:
            raise live.ScalingError("live scaling can be watched in the sandbox only; AWS has no compressed clock")
        endpoint = deployment.outputs("serving")["EndpointName"]
        return cls(deployment.runtime, endpoint, deployment.settings.endpoint.variants[0].name)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Put policies, bounds, conditions and capacity back in the end."""
        (target,) = self._scaling.describe_scalable_targets(
            ServiceNamespace=_NAMESPACE, ResourceIds=[self.resource_id]
        )["ScalableTargets"]
        policies = self._policies()
        conditions = Conditions.model_validate(live.describe(self._runtime)["conditions"])
        try:
            yield
        finally:
            self._put_on(target["MinCapacity"], target["MaxCapacity"], policies)
            live.set_conditions(self._runtime, conditions)
            self._set_capacity(target["MinCapacity"])

    def prepare(self, plan: Plan) -> Path:
        """Put the plan's policy on one instance, and return the recording once it has begun."""
        live.set_conditions(self._runtime, Conditions())  # in real time nothing scales while this is set up
        self._put_on(1, 1, [])
        self._set_capacity(1)
        before = live.describe(self._runtime)["recordings"].get(self.resource_id)
        target = plan.scaled_target
        self._put_on(1, MOST_INSTANCES, [] if target is None else [_article_policy(target)])
        live.set_conditions(self._runtime, plan.conditions)
        other = Path(before) if before else None
        return live.recording_of(self._runtime, self.resource_id, other_than=other)

    def wait_for_minute(self) -> float:
        """Wait for a whole minute of the sandbox's time, and return it."""
        return live.wait_for_minute(self._runtime)

    def activities(self) -> list[dict[str, Any]]:
        """Return the variant's scaling activities, the oldest first."""
        answer = self._scaling.describe_scaling_activities(ServiceNamespace=_NAMESPACE, ResourceId=self.resource_id)
        return list(reversed(answer["ScalingActivities"]))

    def _policies(self) -> list[dict[str, Any]]:
        found = self._scaling.describe_scaling_policies(ServiceNamespace=_NAMESPACE, ResourceId=self.resource_id)
        kept = ("PolicyName", "PolicyType", "StepScalingPolicyConfiguration")
        names = (*kept, "TargetTrackingScalingPolicyConfiguration")
        return [{name: policy[name] for name in names if name in policy} for policy in found["ScalingPolicies"]]

    def _put_on(self, minimum: int, maximum: int, policies: list[dict[str, Any]]) -> None:
        self._scaling.register_scalable_target(**self._target, MinCapacity=minimum, MaxCapacity=maximum)
        for policy in self._policies():
            self._scaling.delete_scaling_policy(**self._target, PolicyName=policy["PolicyName"])
        for policy in policies:
            self._scaling.put_scaling_policy(**self._target, **policy)

    def _set_capacity(self, count: int) -> None:
        waiter = self._sagemaker.get_waiter("endpoint_in_service")
        often = {"Delay": 1, "MaxAttempts": 120}
        waiter.wait(EndpointName=self._endpoint, WaiterConfig=often)
        wanted = [{"VariantName": self._variant, "DesiredInstanceCount": count}]
        self._sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=self._endpoint, DesiredWeightsAndCapacities=wanted
        )
        waiter.wait(EndpointName=self._endpoint, WaiterConfig=often)


def run_live(
    stage: Stage, plan: Plan, url: str, bodies: list[bytes], on_minute: Callable[[int], None] = lambda _: None
) -> LiveRun:
    """Run one test; its users come at the beginning of a minute.

    Parameters
    ----------
    stage
        What is scaled.
    plan
        The test.
    url, bodies
        Where the users send what.
    on_minute
        Called when a minute of the test begins, with its number.
    """
    recording = stage.prepare(plan)
    minute = 60.0 / plan.time_scale
    began = stage.wait_for_minute()
    burst = drive(
        url,
        bodies,
        content_type="text/csv",
        connections=plan.users,
        seconds=(RAMP_MINUTES + HOLD_MINUTES) * minute,
        ramp_seconds=RAMP_MINUTES * minute,
        think_seconds=ARTICLE_OUTSIDE_SECONDS,
        on_second=_once_a_minute(on_minute, minute),
    )
    recorded = Recording.load(recording)
    begun = [each for each in stage.activities() if each["StartTime"].timestamp() >= recorded.started]
    return LiveRun(plan=plan, burst=burst, recording=recorded, began=began, activities=begun)


def _once_a_minute(on_minute: Callable[[int], None], seconds_a_minute: float) -> Callable[[float], None]:
    told = -1

    def on_second(seconds: float) -> None:
        nonlocal told
        minute = int(seconds / seconds_a_minute)
        if minute > told:
            told = minute
            on_minute(minute)

    return on_second


def _article_policy(target: float) -> dict[str, Any]:
    return {
        "PolicyName": "article",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": target,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            "ScaleOutCooldown": 300,
            "ScaleInCooldown": 300,
        },
    }
