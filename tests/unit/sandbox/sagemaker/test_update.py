"""The steps of an update, with instances that only have names: what serves when, and what is started anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.sagemaker.baking import AlarmError
from sandbox.sagemaker.endpoint import Variant
from sandbox.sagemaker.fleet import LaunchError
from sandbox.sagemaker.update import Update
from sandbox.sagemaker.update_policy import UpdatePolicy

Step = tuple[int, int]  # old and new instances on the routes


def variant(model: str, servers: list[Any], count: int) -> Variant:
    return Variant(
        name="main",
        model_name=model,
        instance_type="ml.m4.xlarge",
        image="image",
        weight=1.0,
        desired_count=count,
        routing="RANDOM",
        health_check_seconds=1.0,
        servers=servers,
    )


class FakeFleets:
    """Counts instances; refuses to start more than `capacity` in all."""

    def __init__(self, capacity: int = 1_000) -> None:
        self.capacity = capacity
        self.steps: list[Step] = []
        self.running = 0
        self.most = 0
        self.closing = None

    def client(self, *_: Any) -> None:
        """The oven below asks no alarm."""

    def launch(self, _: Any, wanted: Variant, count: int) -> list[str]:
        if self.running + count > self.capacity:
            raise LaunchError("no capacity")
        self.running += count
        self.most = max(self.most, self.running)
        return [f"{wanted.model_name}-{self.running + number}" for number in range(count)]

    def retire(self, _: Any, __: Variant, servers: list[str]) -> None:
        self.running -= len(servers)

    def retire_all(self, endpoint: Any, variants: list[Variant]) -> None:
        for each in variants:
            servers, each.servers = each.servers, []
            self.retire(endpoint, each, servers)  # type: ignore[arg-type] # names stand for servers

    def route(self, endpoint: Any, variants: list[Variant]) -> None:
        (only,) = variants
        count = len(only.servers)
        self.steps.append((count, 0) if only is endpoint.variants[0] else (0, count))

    def route_both(self, endpoint: Any, counts: dict[str, int]) -> None:
        self.steps.append((len(endpoint.variants[0].servers), counts["main"]))


class FakeOven:
    """An alarm goes off in the given bake."""

    def __init__(self, alarm_in_bake: int | None = None) -> None:
        self.alarm_in_bake = alarm_in_bake
        self.bakes = 0

    def bake(self, *_: Any) -> None:
        self.bakes += 1
        if self.bakes == self.alarm_in_bake:
            raise AlarmError("alarm")


def update(policy: dict[str, Any], fleets: FakeFleets, oven: FakeOven, count: int = 4) -> tuple[Update, Any]:
    old = variant("old", [f"old-{number}" for number in range(count)], count)
    fleets.running = count
    endpoint = SimpleNamespace(variants=[old], next_variants=[variant("new", [], count)])
    return Update(endpoint, UpdatePolicy.of({"DeploymentConfig": policy}), fleets, oven), endpoint  # type: ignore[arg-type]


def routing(kind: str, **size: Any) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": 1, **size}}
    }


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def rolling(value: int, back: int | None = None) -> dict[str, Any]:
    more = {"RollbackMaximumBatchSize": percent(back)} if back else {}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": percent(value), "WaitIntervalInSeconds": 1, **more}}


@pytest.mark.parametrize(
    ("policy", "steps", "most"),
    [
        ({}, [(0, 4)], 8),
        (routing("ALL_AT_ONCE"), [(4, 4), (0, 4)], 8),
        (routing("CANARY", CanarySize=percent(25)), [(4, 1), (4, 4), (0, 4)], 8),
        (routing("CANARY", CanarySize=percent(30)), [(4, 2), (4, 4), (0, 4)], 8),
        (routing("LINEAR", LinearStepSize=percent(50)), [(4, 2), (4, 4), (0, 4)], 8),
        (rolling(25), [(3, 1), (2, 2), (1, 3), (0, 4), (0, 4)], 5),
        (rolling(50), [(2, 2), (0, 4), (0, 4)], 6),
    ],
)
def test_traffic_moves_in_the_policys_steps(policy: dict[str, Any], steps: list[Step], most: int) -> None:
    fleets = FakeFleets()
    moving, endpoint = update(policy, fleets, FakeOven())
    moving.carry_out()
    assert fleets.steps == steps
    assert fleets.most == most
    assert len(endpoint.next_variants[0].servers) == 4


@pytest.mark.parametrize(
    ("policy", "bake", "way_back"),
    [
        (routing("CANARY", CanarySize=percent(25)), 1, [(4, 0)]),
        (routing("CANARY", CanarySize=percent(25)), 2, [(4, 0)]),
        (rolling(25), 1, [(4, 0)]),
        (rolling(25), 3, [(4, 1), (4, 0)]),
        (rolling(25, back=25), 3, [(3, 2), (4, 1), (4, 0)]),
    ],
)
def test_alarm_leads_back_to_the_old_fleet_in_full(policy: dict[str, Any], bake: int, way_back: list[Step]) -> None:
    fleets = FakeFleets()
    moving, endpoint = update(policy, fleets, FakeOven(alarm_in_bake=bake))
    with pytest.raises(AlarmError):
        moving.carry_out()
    there = len(fleets.steps)
    moving.take_back()
    assert fleets.steps[there:] == way_back
    assert (len(endpoint.variants[0].servers), fleets.running) == (4, 4)


def test_instances_that_do_not_come_back_are_reported() -> None:
    fleets = FakeFleets()
    moving, _ = update(rolling(25), fleets, FakeOven(alarm_in_bake=3))
    with pytest.raises(AlarmError):
        moving.carry_out()
    fleets.capacity = 0
    with pytest.raises(LaunchError, match="no capacity"):
        moving.take_back()


def test_new_fleet_without_capacity_never_gets_traffic() -> None:
    fleets = FakeFleets(capacity=6)
    moving, _ = update(routing("CANARY", CanarySize=percent(25)), fleets, FakeOven())
    with pytest.raises(LaunchError):
        moving.carry_out()
    assert fleets.steps == []
    moving.take_back()
    assert fleets.steps == [(4, 0)]
