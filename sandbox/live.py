"""Talks to the scaler of a running sandbox, from outside its process."""

from __future__ import annotations

import json
import math
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from sandbox.runtime import Runtime
from sandbox.scaler.conditions import Conditions

POLL_SECONDS = 0.02
NOTICE_SECONDS = 0.3


class ScalingError(Exception):
    """The scaler refuses, or does not follow; the message says why."""


def set_conditions(runtime: Runtime, conditions: Conditions) -> None:
    """Change the conditions of live scaling; everything that is followed begins anew.

    Raises
    ------
    ScalingError
        The sandbox refuses them.
    """
    _ask(runtime, "PUT", conditions.model_dump())


def describe(runtime: Runtime) -> dict[str, Any]:
    """Return ``conditions``, ``now`` (sandbox time), ``recordings`` by resource id, and who is ``not_followed``."""
    return _ask(runtime, "GET", None)


def recording_of(runtime: Runtime, resource_id: str, *, other_than: Path | None = None, seconds: float = 150.0) -> Path:
    """Wait until a variant is followed; return where its recording is.

    Parameters
    ----------
    other_than : Path, optional
        A recording that ends: the next one is waited for.
    seconds : float
        A follower begins at the next whole minute of the sandbox's time.

    Raises
    ------
    ScalingError
        It is not followed in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        told = describe(runtime)
        path = told["recordings"].get(resource_id)
        if path and Path(path) != other_than:
            return Path(path)
        if time.monotonic() > deadline:
            why = told["not_followed"].get(resource_id, "no such scalable target, or no instance in service")
            raise ScalingError(f"{resource_id} is not followed: {why}")
        time.sleep(POLL_SECONDS)


def wait_for_minute(runtime: Runtime) -> float:
    """Wait for a whole minute of the sandbox's time, and return it.

    Whoever begins then gets what the simulator gets: minutes of its own, not halves of two. The server's answer may
    come late on a busy machine, so the minute is one that is not about to begin.
    """
    asked = time.monotonic()
    told = describe(runtime)
    answered = time.monotonic()
    scale = float(told["conditions"]["time_scale"])
    now = float(told["now"]) + (answered - asked) / 2 * scale
    minute = math.ceil((now + NOTICE_SECONDS * scale) / 60.0) * 60.0
    time.sleep(max((minute - now) / scale - (time.monotonic() - answered), 0.0))
    return minute


def _ask(runtime: Runtime, method: str, document: dict[str, Any] | None) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{runtime.endpoint_url}/_sandbox/scaling",
        data=None if document is None else json.dumps(document).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=30.0) as answer:  # noqa: S310 - loopback
            told: dict[str, Any] = json.load(answer)
            return told
    except urllib.error.HTTPError as error:
        raise ScalingError(json.load(error)["message"]) from error
