"""What the scaler counts: every minute from the sandbox's first one on, but none that other conditions cut in two."""

from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.clock import SandboxClock
from sandbox.sagemaker.deployment import Deployer
from sandbox.scaler import room as room_module
from sandbox.scaler.conditions import Conditions
from sandbox.scaler.metrics import EndpointMetrics
from sandbox.scaler.room import Room
from sandbox.scaler.watched import Watched

STARTED = 6_000.0 + 37.0  # in the middle of a minute
BIN = {
    **dict.fromkeys(("Invocations", "InvocationsPerInstance"), 5),
    **dict.fromkeys(("Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors"), 0),
    **{key: {"sum": 0, "buckets": []} for key in ("ModelLatency", "OverheadLatency")},
}


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine's clock; every ten seconds of it five requests are answered. What is published lands in `published`."""
    time = SimpleNamespace(now=STARTED, published=[])

    def ask(_room: Room, method: str, _path: str, _document: Any) -> Any:
        bins = [{"start": start, **BIN} for start in range(6_000, int(time.now), 10)]
        return {"endpoints": {"kdd": {"main": bins}}, "fleets": {}, "in_flight": {}} if method == "GET" else None

    def find(room: Room, *, forget: bool) -> None:
        room._watched = room._watched if room._watched and not forget else {("kdd", "main"): Watched(in_service=1)}

    monkeypatch.setattr(room_module, "SandboxClock", lambda: SandboxClock(lambda: time.now))
    monkeypatch.setattr(room_module, "read_targets", lambda _runtime: ([], {}))
    monkeypatch.setattr(Deployer, "provisioning_seconds", 0.0)
    monkeypatch.setattr(Room, "_ask_dataplane", ask)
    monkeypatch.setattr(Room, "_find_variants", find)
    monkeypatch.setattr(
        EndpointMetrics,
        "publish",
        lambda _endpoint, _variant, start, counts, _instance: time.published.append(
            (start, counts.values["Invocations"])
        ),
    )
    return time


@pytest.fixture
def room(wall: SimpleNamespace) -> Room:
    room = Room(SimpleNamespace(client=lambda _: None))  # type: ignore[arg-type]
    room._alarms = SimpleNamespace(evaluate=lambda _: None)  # type: ignore[assignment]
    return room


def test_first_minute_of_a_sandbox_is_counted_as_every_other(room: Room, wall: SimpleNamespace) -> None:
    for wall.now in (6_060.01, 6_120.01):
        room._look()
    assert wall.published == [(6_000.0, 30.0), (6_060.0, 30.0)]


def test_look_that_comes_late_publishes_every_minute_by_itself(room: Room, wall: SimpleNamespace) -> None:
    wall.now = 6_200.0
    room._look()
    assert wall.published == [(6_000.0, 30.0), (6_060.0, 30.0), (6_120.0, 30.0)]


def test_minute_in_which_conditions_change_is_not_published(room: Room, wall: SimpleNamespace) -> None:
    wall.now = 6_090.0
    room._look()
    room.set_conditions(Conditions(instance_max_rps=100.0))
    for wall.now in (6_120.01, 6_180.01):
        room._look()
    assert wall.published == [(6_000.0, 30.0), (6_120.0, 30.0)]
