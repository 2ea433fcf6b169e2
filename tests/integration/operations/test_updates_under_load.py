"""What an update does to callers: under constant load, by the real CDK CLI, in the sandbox."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loadtest.closed_loop_client import Burst
from tests.integration.operations.conftest import Operator

pytestmark = pytest.mark.verify  # minutes: every case deploys

SCALE = 60.0  # five minutes of baking in five seconds
FLEET = 4
CANARY = {"strategy": "canary", "canary_size": {"instance_count": 1}, "wait_interval_seconds": 300}
TRACKING = {"kind": "target_tracking", "target": 30_000.0}


def scaling(least: int) -> dict[str, Any]:
    return {"min_capacity": least, "max_capacity": 10, "policies": [TRACKING]}


def endpoint(deployment: dict[str, Any] | None = None, **variant: Any) -> dict[str, Any]:
    return {"variants": [{"name": "main", **variant}], **({"deployment": deployment} if deployment else {})}


def deploy(operator: Operator, **groups: Any) -> None:
    done = operator.deploy_serving(**groups)
    assert done.returncode == 0, done.stdout + done.stderr


def deploy_canary(operator: Operator, **groups: Any) -> None:
    """Deploy at a pace at which baking takes seconds; the fleet must have grown before a canary can be part of it."""
    operator.run_at(SCALE)
    if operator.instances() < FLEET:
        deploy(operator, scaling=scaling(FLEET))
        operator.wait_for(lambda: operator.instances() == FLEET)
    deploy(operator, endpoint=endpoint(CANARY), scaling=scaling(FLEET), **groups)


def failing(burst: Burst) -> tuple[float, float, float]:
    """Return when the first and the last request failed, and which share of those between did."""
    failed = burst.finished[burst.codes != 200]
    first, last = float(failed.min()), float(failed.max())
    between = (burst.finished >= first) & (burst.finished <= last)
    return first, last, float(np.mean(burst.codes[between] != 200))


def test_new_model_loses_no_request(operator: Operator) -> None:
    deploy(operator)
    config, model = operator.endpoint()["EndpointConfigName"], operator.parameter("model/served")
    second = operator.save_model("second", weight=-1.0)
    with operator.load() as load:
        deploy(operator, model=second)
    assert load.failures == {}
    assert operator.endpoint()["EndpointConfigName"] != config
    assert operator.parameter("model/served") != model


def test_raised_min_capacity_starts_instances_and_loses_no_request(operator: Operator) -> None:
    deploy(operator)
    config = operator.endpoint()["EndpointConfigName"]
    operator.run_at(SCALE)
    with operator.load() as load:
        deploy(operator, scaling=scaling(3))
        operator.wait_for(lambda: operator.instances() == 3)
    assert load.failures == {}
    assert operator.endpoint()["EndpointConfigName"] == config  # two more instances, and no new fleet


def test_instance_type_change_while_scaled_out_starts_as_large_and_loses_no_request(operator: Operator) -> None:
    deploy(operator)
    operator.scale_to(FLEET)
    old = operator.endpoint()["EndpointName"]
    with operator.load() as load:
        deploy(operator, endpoint=endpoint(instance_type="ml.m5.large"))
    assert load.failures == {}
    assert operator.endpoint()["EndpointName"] != old
    assert operator.instances() == FLEET
    served = operator.runtime.client("sagemaker").list_endpoints()["Endpoints"]
    assert [found["EndpointName"] for found in served] == [operator.endpoint()["EndpointName"]]
    targets = operator.runtime.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    assert [target["ResourceId"].split("/")[1] for target in targets["ScalableTargets"]] == [served[0]["EndpointName"]]


def test_canary_with_a_healthy_model_loses_no_request(operator: Operator) -> None:
    deploy_canary(operator)
    before = operator.endpoint()["EndpointConfigName"]
    healthy = operator.save_model("healthy", weight=2.0)
    with operator.load() as load:
        deploy_canary(operator, model=healthy)
    assert load.failures == {}
    assert operator.endpoint()["EndpointConfigName"] != before
    assert operator.endpoint()["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"] == {
        "Type": "CANARY",
        "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
        "WaitIntervalInSeconds": 300,
    }


def test_canary_with_a_failing_model_fails_in_its_share_and_is_rolled_back_by_its_alarm(operator: Operator) -> None:
    deploy_canary(operator)
    served, config = operator.parameter("model/served"), operator.endpoint()["EndpointConfigName"]
    broken = operator.save_model("broken", features=5)  # of other columns: it refuses every row
    with operator.load() as load:
        done = operator.deploy_serving(endpoint=endpoint(CANARY), scaling=scaling(FLEET), model=broken)
        ended = operator.load()
        with ended:
            pass  # two seconds more, after the rollback
    printed = " ".join((done.stdout + done.stderr).split())  # the CLI wraps
    assert done.returncode != 0, printed
    assert "main-model-errors" in printed
    assert set(load.failures) == {424}
    _, _, share = failing(load.burst)
    assert share < 1 / FLEET + 0.1
    assert ended.failures == {}
    assert (operator.parameter("model/served"), operator.endpoint()["EndpointConfigName"]) == (served, config)
