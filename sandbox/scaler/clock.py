"""The sandbox's clock: the machine's time, or that time compressed.

Compressed time runs ahead: after ten minutes at scale 30 the sandbox is almost five hours ahead of the machine, and
stays ahead when the scale is 1 again, so that no moment ever comes twice. Everything that this room tells (metrics,
activities) carries the sandbox's time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


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
