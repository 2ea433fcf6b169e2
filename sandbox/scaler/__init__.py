"""Application Auto Scaling at work: metrics, alarms, decisions and capacity changes of the sandbox's endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sandbox.runtime import Runtime
from sandbox.scaler.conditions import Conditions

if TYPE_CHECKING:
    from sandbox.scaler.room import Room

_rooms: list[Room] = []


def install(runtime: Runtime) -> None:
    """Set this room's seams in moto and start looking; called once, before the server listens."""
    from sandbox.scaler import api, metrics, room  # noqa: PLC0415 - moto, which readers of recordings do without

    metrics.install(runtime.region)
    looking = room.Room(runtime)
    api.install(looking.activities)
    _rooms[:] = [looking]
    looking.start()


def shutdown() -> None:
    """Stop looking."""
    for room in _rooms:
        room.stop()


def conditions(document: dict[str, Any] | None) -> dict[str, Any]:
    """Answer ``/_sandbox/scaling``: change the conditions if a document is given, and describe the room.

    Raises
    ------
    ValueError
        Conditions that make no sense; the message says which.
    """
    (room,) = _rooms
    if document is not None:
        try:
            wanted = Conditions.model_validate(document)
        except ValidationError as error:
            raise ValueError(str(error)) from error
        room.set_conditions(wanted)
    return room.describe()
