"""A closed loop of users, each sending its next request when the last one is answered and it has thought about it.

Light enough (an asyncio Protocol on uvloop, no parsing beyond status and length) that the server is what it measures.
Bounded in time; plain HTTP on purpose, because it drives servers on this machine.
"""

from __future__ import annotations

import asyncio
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import cast
from urllib.parse import urlsplit

import numpy as np
import uvloop
from numpy.typing import NDArray

BROKEN = 0
"""Status of a request whose connection ended before its answer was whole."""
RECONNECT_SECONDS = 0.05
GOLDEN_SECTION = 0.6180339887498949  # its multiples modulo 1 spread evenly, however many there are
LAST_ANSWER_SECONDS = 60.0  # a model may take as long


@dataclass(frozen=True, kw_only=True)
class Burst:
    """What the users saw.

    Parameters
    ----------
    seconds : float
        From the first user to the last one's last request.
    codes : ndarray of shape (n_requests,)
        Status codes; 0 where the connection broke.
    latencies_ms : ndarray of shape (n_requests,), milliseconds
    finished : ndarray of shape (n_requests,), seconds
        When each request was answered or broke, counted from the beginning.
    """

    seconds: float
    codes: NDArray[np.int64]
    latencies_ms: NDArray[np.float64]
    finished: NDArray[np.float64]

    @property
    def statuses(self) -> Mapping[int, int]:
        """How many requests ended with each status."""
        return dict(Counter(self.codes.tolist()))

    @property
    def requests_per_second(self) -> float:
        """Good answers (status 200) a second."""
        return int((self.codes == 200).sum()) / self.seconds

    @property
    def failed(self) -> int:
        """Answers other than 200, and broken connections."""
        return int((self.codes != 200).sum())

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile of the latency in milliseconds; nan without answers."""
        return float(np.percentile(self.latencies_ms, percent)) if len(self.latencies_ms) else float("nan")


def drive(
    url: str,
    bodies: list[bytes],
    *,
    content_type: str,
    connections: int = 16,
    seconds: float = 3.0,
    ramp_seconds: float = 0.0,
    think_seconds: float = 0.0,
    headers: Mapping[str, str] | None = None,
    on_second: Callable[[float], None] | None = None,
    stop: threading.Event | None = None,
) -> Burst:
    """Let users send `bodies` in turn.

    Parameters
    ----------
    url
        Plain HTTP.
    bodies
        Of requests; each user begins with another one.
    content_type, headers
        Of every request.
    connections
        Users, one connection each.
    seconds
        How long requests are sent; those under way are waited for.
    ramp_seconds
        The users come one after the other within this time.
    think_seconds
        From an answer to the same user's next request. Each user comes somewhere within its first pause, so that the
        rate is users / (answer + pause) from the beginning; else a ramp as short as the pause asks too much at first.
    on_second
        Called about once a second with the seconds since the beginning.
    stop
        Set by another thread, it ends the burst before its time.
    """
    target = urlsplit(url)
    path = target.path + (f"?{target.query}" if target.query else "")
    every = {"Host": target.netloc, "Content-Type": content_type, **(headers or {})}
    users = _Users(
        host=target.hostname or "127.0.0.1",
        port=target.port or 80,
        requests=[_request(path, every, body) for body in bodies],
        seconds=seconds,
        think_seconds=think_seconds,
        stop=stop or threading.Event(),
    )
    return uvloop.run(users.run(connections, ramp_seconds, on_second))


def _request(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


@dataclass(kw_only=True)
class _Users:
    host: str
    port: int
    requests: list[bytes]
    seconds: float
    think_seconds: float
    stop: threading.Event
    begin: float = 0.0
    working: int = 0
    codes: array[int] = field(default_factory=lambda: array("h"))
    latencies: array[float] = field(default_factory=lambda: array("f"))  # seconds
    finished: array[float] = field(default_factory=lambda: array("f"))
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, users: int, ramp_seconds: float, on_second: Callable[[float], None] | None) -> Burst:
        loop = asyncio.get_running_loop()
        self.begin = time.perf_counter()
        self.working = users
        for number in range(users):
            user = _User(self, islice(cycle(self.requests), number, None))
            rest_of_pause = self.think_seconds * (number * GOLDEN_SECTION % 1.0)
            loop.call_later(ramp_seconds * number / users + rest_of_pause, user.arrive)
        ticker = loop.create_task(self._tick(on_second)) if on_second else None
        await asyncio.wait_for(self.done.wait(), self.seconds + ramp_seconds + LAST_ANSWER_SECONDS)
        elapsed = time.perf_counter() - self.begin
        if ticker:
            ticker.cancel()
        return Burst(
            seconds=max(min(elapsed, self.seconds), 1e-9),
            codes=np.array(self.codes, dtype=np.int64),
            latencies_ms=np.array(self.latencies, dtype=float) * 1e3,
            finished=np.array(self.finished, dtype=float),
        )

    def count(self, status: int, sent: float) -> None:
        now = time.perf_counter()
        self.codes.append(status)
        self.latencies.append(now - sent)
        self.finished.append(now - self.begin)

    @property
    def over(self) -> bool:
        return self.stop.is_set() or time.perf_counter() - self.begin >= self.seconds

    def leave(self) -> None:
        self.working -= 1
        if not self.working:
            self.done.set()

    async def _tick(self, on_second: Callable[[float], None]) -> None:
        while True:
            await asyncio.sleep(1.0)
            on_second(time.perf_counter() - self.begin)


class _User(asyncio.Protocol):
    """One user: one connection, one request at a time; a broken connection is counted and opened again."""

    def __init__(self, users: _Users, requests: Iterator[bytes]) -> None:
        self._users = users
        self._requests = requests
        self._transport: asyncio.Transport | None = None
        self._sent: float | None = None
        self._received = b""

    def arrive(self) -> None:
        asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        users = self._users
        while not users.over:
            try:
                await asyncio.get_running_loop().create_connection(lambda: self, users.host, users.port)
            except OSError:
                users.count(BROKEN, time.perf_counter())
                await asyncio.sleep(RECONNECT_SECONDS)
            else:
                return
        users.leave()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        if self._sent is None:
            return
        self._received = data = self._received + data if self._received else data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return
        if len(data) < end + 4 + _content_length(data[:end]):
            return
        self._received = b""
        self._users.count(int(data[9:12]), self._sent)
        self._sent = None
        if self._users.think_seconds:
            asyncio.get_running_loop().call_later(self._users.think_seconds, self._ask)
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._transport, self._received = None, b""
        if self._sent is not None:
            self._users.count(BROKEN, self._sent)
            self._sent = None
            self.arrive()

    def _ask(self) -> None:
        if self._transport is None or self._transport.is_closing():
            self.arrive()  # the server closed the connection while the user was thinking
        elif self._users.over:
            self._transport.close()
            self._users.leave()
        else:
            self._sent = time.perf_counter()
            self._transport.write(next(self._requests))


def _content_length(head: bytes) -> int:
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return int(length or 0)
