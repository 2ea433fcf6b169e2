"""One time limit for many waits, kept by one timer.

`asyncio.timeout` makes a timer for each wait and takes it down again, which costs a seventh of a request's processor
time here. All waits of a `Deadlines` last equally long, so the one that began first ends first, and one timer for that
one is enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Deadlines:
    """Limits waits to `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[asyncio.Task[object], float] = {}  # by task, when its wait ends; in this order
        self._expired: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def wait_for(self, awaitable: Awaitable[T]) -> T:
        """Return what `awaitable` gives; a task waits for one thing at a time.

        Raises
        ------
        TimeoutError
            It gave nothing in time; it is cancelled.
        """
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        self._waiting[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._expire)
        try:
            return await awaitable
        except asyncio.CancelledError:
            if task in self._expired and task.uncancel() == 0:  # else somebody else cancels the task, too
                raise TimeoutError from None
            raise
        finally:
            self._waiting.pop(task, None)
            self._expired.discard(task)

    def _expire(self) -> None:
        """Cancel the waits that are over, and come again for the next one."""
        loop, self._timer = asyncio.get_running_loop(), None
        for task, end in list(self._waiting.items()):
            if end > loop.time():
                self._timer = loop.call_at(end, self._expire)
                return
            del self._waiting[task]
            self._expired.add(task)
            task.cancel()
