"""Keep-alive HTTP/1 connections to one server: a model server, or the sandbox's front."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import httptools

from serving.chunked_body import BadChunkError, ChunkedBody

_HEAD_END = b"\r\n\r\n"


class UpstreamError(Exception):
    """An exchange without an answer."""


class RefusedError(UpstreamError):
    """Nothing accepts connections: the server is gone. The request was not sent."""


class BrokenError(UpstreamError):
    """The connection ended, or spoke no HTTP, before the answer was whole."""


class TimedOutError(UpstreamError):
    """No answer in time."""


@dataclass(frozen=True, slots=True)
class UpstreamAnswer:
    """A whole answer; `headers` have names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    headers: dict[str, str]
    content_length: int | None
    chunked: bool
    keep_alive: bool


class Upstream:
    """One server on loopback.

    Parameters
    ----------
    port : int
    timeout_seconds : float
        For one exchange, from sending to the answer's last byte.
    """

    def __init__(self, port: int, *, timeout_seconds: float) -> None:
        self.port = port
        self._timeout_seconds = timeout_seconds
        self._idle: list[_Connection] = []
        self._connections: set[_Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    async def exchange(self, request: bytes) -> UpstreamAnswer:
        """Send the bytes of `request`, return the answer.

        Raises
        ------
        UpstreamError
            One of its kinds.
        """
        connection = self._idle.pop() if self._idle else await self._connect()
        return await connection.exchange(request)

    async def accepts(self) -> bool:
        """Return whether the server accepts connections; keeps the one that told."""
        try:
            self._idle.append(await self._connect())
        except RefusedError:
            return False
        return True

    def close(self) -> None:
        """Close every connection."""
        if self._sweeper:
            self._sweeper.cancel()
        for connection in tuple(self._connections):
            connection.abort(BrokenError(f"the connection to port {self.port} was closed"))

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.port)
        except OSError as error:
            raise RefusedError(f"port {self.port}: {error}") from None
        if self._sweeper is None:
            self._sweeper = loop.call_later(1.0, self._sweep)
        return connection

    def _sweep(self) -> None:
        """End exchanges that take too long; one timer for all is cheaper than one for each."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._timeout_seconds
        for connection in tuple(self._connections):
            if connection.busy_since is not None and connection.busy_since < oldest:
                connection.abort(TimedOutError(f"no answer from port {self.port} in {self._timeout_seconds:g} s"))
        self._sweeper = loop.call_later(1.0, self._sweep) if self._connections else None

    def opened(self, connection: _Connection) -> None:
        """Count `connection` in."""
        self._connections.add(connection)

    def freed(self, connection: _Connection) -> None:
        """Keep `connection` for the next exchange."""
        self._idle.append(connection)

    def lost(self, connection: _Connection) -> None:
        """Count `connection` out."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)


class _Connection(asyncio.Protocol):
    """Carries one exchange at a time."""

    def __init__(self, upstream: Upstream) -> None:
        self.busy_since: float | None = None
        self._upstream = upstream
        self._transport: asyncio.Transport = None  # type: ignore[assignment] # set before anything else happens
        self._answer: asyncio.Future[UpstreamAnswer] | None = None
        self._received = b""
        self._head: _Head | None = None
        self._chunks: ChunkedBody | None = None

    def exchange(self, request: bytes) -> asyncio.Future[UpstreamAnswer]:
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        self.busy_since = loop.time()
        answer = self._answer
        if self._transport.is_closing():
            self._fail(BrokenError(f"the connection to port {self._upstream.port} was closing"))
        else:
            self._transport.write(request)
        return answer

    def abort(self, error: UpstreamError) -> None:
        self._fail(error)
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._upstream.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.lost(self)
        self._fail(BrokenError(f"port {self._upstream.port} closed the connection: {exc or 'end of stream'}"))

    def eof_received(self) -> None:
        head = self._head
        if head is not None and not head.chunked and head.content_length is None:
            self._done(head, self._received)  # a body that ends with its connection (RFC 9112, section 6.3)
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self._transport.abort()  # nobody asked
            return
        try:
            self._take(data)
        except (BadChunkError, httptools.HttpParserError, ValueError) as error:
            self.abort(BrokenError(f"port {self._upstream.port} speaks no HTTP: {error}"))

    def _take(self, data: bytes) -> None:
        if self._chunks is None:
            self._received = data = self._received + data if self._received else data
        head = self._head
        while head is None:
            end = data.find(_HEAD_END) + 4
            if end == 3:
                return
            head = _parse_head(data[:end])
            self._received = data = data[end:]
            if head.status < 200:  # interim
                head = None
                continue
            self._head = head
            if head.chunked:
                self._chunks = ChunkedBody()
        if self._chunks is not None:
            self._chunks.feed(data)
            if self._chunks.complete:
                self._done(head, bytes(self._chunks.data))
        elif head.content_length is not None and len(data) >= head.content_length:
            self._done(head, data[: head.content_length])

    def _done(self, head: _Head, body: bytes) -> None:
        answer, self._answer = self._answer, None
        self._received, self._head, self._chunks, self.busy_since = b"", None, None, None
        if head.keep_alive:
            self._upstream.freed(self)
        else:
            self._transport.close()
        if answer is not None and not answer.done():
            answer.set_result(UpstreamAnswer(head.status, head.headers, body))

    def _fail(self, error: UpstreamError) -> None:
        answer, self._answer = self._answer, None
        self.busy_since = None
        if answer is not None and not answer.done():
            answer.set_exception(error)


@lru_cache(maxsize=1024)
def _parse_head(head: bytes) -> _Head:
    """Parse a response's head; a server's heads differ in little but their length, so most are remembered."""
    headers: dict[str, str] = {}

    class Collector:
        def on_header(self, name: bytes, value: bytes) -> None:
            headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    parser = httptools.HttpResponseParser(Collector())
    parser.feed_data(head)
    status, length = parser.get_status_code(), headers.get("content-length")
    bodiless = status < 200 or status in {204, 304}
    return _Head(
        status=status,
        headers=headers,
        content_length=0 if bodiless else None if length is None else int(length),
        chunked=not bodiless and "chunked" in headers.get("transfer-encoding", "").lower(),
        keep_alive=parser.should_keep_alive() and (bodiless or length is not None or "transfer-encoding" in headers),
    )
