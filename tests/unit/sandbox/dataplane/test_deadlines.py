"""One timer for many waits: each gets its time, and nobody else's."""

import asyncio
from typing import Any

import pytest
import uvloop

from sandbox.dataplane.deadlines import Deadlines


def run(coroutine: Any) -> Any:
    return uvloop.run(asyncio.wait_for(coroutine, 30))


def test_answer_in_time_is_passed_on() -> None:
    async def main() -> Any:
        return await Deadlines(20).wait_for(asyncio.sleep(0.01, "answer"))

    assert run(main()) == "answer"


def test_error_is_passed_on() -> None:
    async def fail() -> None:
        raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        run(Deadlines(20).wait_for(fail()))


def test_every_wait_has_its_own_end_and_is_cancelled_then() -> None:
    async def main() -> Any:
        deadlines, loop, cancelled, ends = Deadlines(0.05), asyncio.get_running_loop(), [], {}

        async def forever(name: int) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(name)
                raise

        async def wait(name: int) -> None:
            began = loop.time()
            with pytest.raises(TimeoutError):
                await deadlines.wait_for(forever(name))
            ends[name] = loop.time() - began

        async def late(name: int) -> None:
            await asyncio.sleep(0.01 * name)
            await wait(name)

        await asyncio.gather(*(late(name) for name in range(4)))
        return cancelled, ends

    cancelled, ends = run(main())
    assert cancelled == [0, 1, 2, 3]
    assert all(seconds >= 0.049 for seconds in ends.values())


def test_wait_after_idle_time_ends_too() -> None:
    async def main() -> None:
        deadlines = Deadlines(0.02)
        for _ in range(2):
            assert await deadlines.wait_for(asyncio.sleep(0, "answer")) == "answer"
            await asyncio.sleep(0.05)
            with pytest.raises(TimeoutError):
                await deadlines.wait_for(asyncio.Event().wait())

    run(main())


def test_cancelling_from_outside_is_no_timeout() -> None:
    async def main() -> None:
        deadlines = Deadlines(20)
        task = asyncio.ensure_future(deadlines.wait_for(asyncio.Event().wait()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
