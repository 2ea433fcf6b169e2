"""The sandbox's clock: the machine's time, or that time compressed.

Compressed time runs ahead: after ten minutes at scale 30 the sandbox is almost five hours ahead of the machine, and
stays ahead when the scale is 1 again, so that no moment ever comes twice. Everything that is told of scaling (metrics,
activities) carries the sandbox's time. The server's clock leads; the data plane, which counts requests by it, follows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any


class BadClockError(ValueError):
    """A description of a clock that makes no sense."""


class SandboxClock:
    """Seconds since the epoch, in sandbox time.

    Parameters
    ----------
    wall : callable
        The machine's time, seconds since the epoch.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._from_wall = self._from = wall()
        self.scale = 1.0

    def now(self) -> float:
        """Return the time."""
        return self._from + (self._wall() - self._from_wall) * self.scale

    def describe(self) -> dict[str, float]:
        """Return what another process's clock needs to tell the same time."""
        return {"from_wall": self._from_wall, "from": self._from, "scale": self.scale}

    def follow(self, document: Any) -> dict[str, float]:
        """Tell the same time as the clock that was described.

        Raises
        ------
        BadClockError
            The document describes none.
        """
        try:
            from_wall, begin, scale = (float(document[name]) for name in ("from_wall", "from", "scale"))
        except (TypeError, KeyError, ValueError) as error:
            raise BadClockError(f"not a clock: {type(error).__name__}: {error}") from None
        if not scale >= 1:
            raise BadClockError(f"scale is {scale}; 1 or more is wanted")
        self._from_wall, self._from, self.scale = from_wall, begin, scale
        return self.describe()

    def run_at(self, scale: float) -> None:
        """Let the sandbox's time pass `scale` times as fast as the machine's from now on."""
        wall = self._wall()
        self._from += (wall - self._from_wall) * self.scale
        self._from_wall = wall
        self.scale = scale

    def wall_seconds_until(self, moment: float) -> float:
        """Return how long the machine waits for a moment; 0 if it is over."""
        return max(moment - self.now(), 0.0) / self.scale


def moment(seconds: float) -> datetime:
    """Return seconds since the epoch as a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
