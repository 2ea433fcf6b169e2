"""A closed loop of connections, each sending its next request when the last one is answered.

Light enough (asyncio streams on uvloop, no parsing beyond status and length) that the server is what it measures.
Bounded in time; plain HTTP on purpose, because it drives servers on this machine.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from urllib.parse import urlsplit

import numpy as np
import uvloop


@dataclass(frozen=True, kw_only=True)
class Burst:
    """What a burst of requests saw.

    Parameters
    ----------
    statuses : Mapping[int, int]
        Answers by status code; 0 counts connections that broke.
    latencies_ms : ndarray of shape (n_answers,), milliseconds
    """

    seconds: float
    statuses: Mapping[int, int]
    latencies_ms: np.ndarray[tuple[int], np.dtype[np.float64]]

    @property
    def requests_per_second(self) -> float:
        """Good answers (status 200) a second."""
        return self.statuses.get(200, 0) / self.seconds

    @property
    def failed(self) -> int:
        """Answers other than 200, and broken connections."""
        return sum(count for status, count in self.statuses.items() if status != 200)

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile of the latency in milliseconds; nan without answers."""
        return float(np.percentile(self.latencies_ms, percent)) if len(self.latencies_ms) else float("nan")


def drive(url: str, bodies: list[bytes], *, content_type: str, connections: int = 16, seconds: float = 3.0) -> Burst:
    """Send `bodies` in turn over `connections` connections for `seconds`."""
    return uvloop.run(_drive(url, bodies, content_type, connections, seconds))


async def _drive(url: str, bodies: list[bytes], content_type: str, connections: int, seconds: float) -> Burst:
    target = urlsplit(url)
    host = target.netloc
    users = _Users(
        host=target.hostname or "127.0.0.1",
        port=target.port or 80,
        requests=[_request(target.path, host, body, content_type) for body in bodies],
    )
    begin = time.perf_counter()
    await asyncio.gather(*(users.keep_asking(number, begin + seconds) for number in range(connections)))
    elapsed = time.perf_counter() - begin
    return Burst(seconds=elapsed, statuses=dict(users.statuses), latencies_ms=np.array(users.latencies) * 1e3)


def _request(path: str, host: str, body: bytes, content_type: str) -> bytes:
    head = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


@dataclass(frozen=True, kw_only=True)
class _Users:
    host: str
    port: int
    requests: list[bytes]
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)  # seconds

    async def keep_asking(self, number: int, deadline: float) -> None:
        """Be one user until `deadline`; a broken connection is counted and opened again."""
        requests = islice(cycle(self.requests), number, None)
        while time.perf_counter() < deadline:
            try:
                reader, writer = await asyncio.open_connection(self.host, self.port)
                try:
                    while (begin := time.perf_counter()) < deadline:
                        writer.write(next(requests))
                        self.statuses[await _status(reader)] += 1
                        self.latencies.append(time.perf_counter() - begin)
                finally:
                    writer.close()
            except (OSError, asyncio.IncompleteReadError):
                self.statuses[0] += 1


async def _status(reader: asyncio.StreamReader) -> int:
    """Read one whole answer and return its status code."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head[9:12])
