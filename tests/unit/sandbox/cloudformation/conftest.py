"""A CloudFormation service without a server: its resource types live in memory and do what the test tells them."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sandbox.cloudformation.provisioner import (
    _REGISTRY,
    Outcome,
    Provisioner,
    ProvisioningError,
    Request,
    provisions,
)
from sandbox.cloudformation.service import CloudFormationService
from sandbox.cloudformation.stack import Stack
from sandbox.runtime import Runtime


class World:
    """Everything that exists, and every call that made it so."""

    def __init__(self) -> None:
        self.alive: dict[str, Mapping[str, Any]] = {}
        self.calls: list[tuple[str, str, Any]] = []
        self.made: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.hold = threading.Event()
        self.hold.set()

    def note(self, verb: str, request: Request) -> None:
        with self.lock:
            self.calls.append((verb, request.logical_id, request.properties.get("Value")))
        self.hold.wait()
        if request.properties.get("Fail") == verb:
            raise ProvisioningError(f"{request.logical_id} was told to fail to {verb}")

    def said(self, *verbs: str) -> list[tuple[str, str, Any]]:
        return [call for call in self.calls if call[0] in verbs]


@pytest.fixture
def world() -> Iterator[World]:
    world = World()

    class Thing(Provisioner):
        replaced_by = frozenset({"Name"})

        def create(self, request: Request) -> Outcome:
            world.note("create", request)
            with world.lock:
                world.made[request.logical_id] += 1
                physical_id = f"{request.logical_id}-{world.made[request.logical_id]}"
            world.alive[physical_id] = request.properties
            return Outcome(physical_id, {"Value": request.properties.get("Value"), "Arn": f"arn:{physical_id}"})

        def update(self, request: Request) -> Outcome:
            world.note("update", request)
            world.alive[request.physical_id] = request.properties
            physical_id = request.properties.get("Renamed", request.physical_id)
            return Outcome(physical_id, {"Value": request.properties.get("Value"), "Arn": f"arn:{physical_id}"})

        def delete(self, request: Request) -> None:
            world.note("delete", request)
            del world.alive[request.physical_id]

    provisions("Test::Thing")(Thing)
    yield world
    del _REGISTRY["Test::Thing"]


class Driver:
    """Starts operations and waits until they end."""

    def __init__(self, service: CloudFormationService) -> None:
        self.service = service

    def create(self, resources: Mapping[str, Any], name: str = "stack", **more: Any) -> Stack:
        return self._settled(self.service.create_stack(request(resources, name, **more)))

    def update(self, resources: Mapping[str, Any], name: str = "stack", **more: Any) -> Stack:
        return self._settled(self.service.update_stack(request(resources, name, **more)))

    def delete(self, name: str = "stack") -> Stack:
        stack = self.service.delete_stack(name, frozenset())
        assert stack is not None
        return self._settled(stack)

    def settle(self, name: str = "stack") -> Stack:
        return self._settled(self.service.find(name))

    @staticmethod
    def _settled(stack: Stack) -> Stack:
        assert stack.settled.wait(10)
        return stack


@pytest.fixture
def parameters_in_ssm() -> dict[str, str]:
    return {}


@pytest.fixture
def driver(world: World, tmp_path: Path, parameters_in_ssm: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Driver:
    def read(self: CloudFormationService, name: str) -> str:
        if name not in parameters_in_ssm:
            raise LookupError(f"Unable to fetch parameters [{name}] from parameter store for this account.")
        return parameters_in_ssm[name]

    monkeypatch.setattr(CloudFormationService, "_read_parameter", read)
    runtime = Runtime(directory=tmp_path, port=1, dataplane_port=2)
    return Driver(CloudFormationService(runtime, "us-east-1"))


def request(resources: Mapping[str, Any], name: str, **more: Any) -> dict[str, Any]:
    sections = {key: more.pop(key) for key in list(more) if key in {"Outputs", "Conditions", "Mappings", "Rules"}}
    if "TemplateParameters" in more:
        sections["Parameters"] = more.pop("TemplateParameters")
    return {"StackName": name, "TemplateBody": json.dumps({"Resources": resources, **sections}), **more}


@pytest.fixture
def thing() -> Callable[..., dict[str, Any]]:
    """Return a maker of declarations: properties by keyword, resource attributes by ``attributes``."""

    def make(attributes: Mapping[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
        return {"Type": "Test::Thing", "Properties": properties, **(attributes or {})}

    return make
