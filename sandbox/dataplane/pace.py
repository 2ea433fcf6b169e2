"""A limit for every instance: what a local process can do says nothing about an instance type, a number does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any


class BadPaceError(ValueError):
    """A limit that makes no sense."""


@dataclass(slots=True)
class Pace:
    """The limit of all instances; None: as fast as they are."""

    instance_max_rps: float | None = None

    def put(self, document: Any) -> dict[str, Any]:
        """Set it from ``{"instance_max_rps": number or null}``; raises BadPaceError."""
        try:
            value = document["instance_max_rps"]
            limit = None if value is None else float(value)
        except (TypeError, KeyError, ValueError) as error:
            raise BadPaceError(f"not a pace: {type(error).__name__}: {error}") from None
        if limit is not None and not limit > 0:
            raise BadPaceError(f"instance_max_rps is {limit}; more than 0 is wanted, or null")
        self.instance_max_rps = limit
        return {"instance_max_rps": limit}


class Turnstile:
    """Lets requests into one instance, first come, first served, each taking its share of a second."""

    def __init__(self) -> None:
        self._free_at = 0.0

    async def pass_through(self, max_rps: float) -> None:
        """Wait in the queue and for the time the request is served."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now) + 1.0 / max_rps
        await asyncio.sleep(self._free_at - now)
