"""One client's connection: takes requests apart, hands them on, answers them in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from serving.chunked_body import BadChunkError, ChunkedBody
from serving.http_answer import refuse
from serving.http_head import BadHeadError

if TYPE_CHECKING:
    from serving.http_server import HttpServer, Route

_HEAD_END = b"\r\n\r\n"
_MAX_HEAD_BYTES = 65_536
_MAX_WAITING_BYTES = 262_144  # of pipelined requests, while one is being answered
_LINGER_SECONDS = 2.0


class Connection(asyncio.Protocol):
    """A connection of `server`."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._transport: asyncio.Transport = None  # type: ignore[assignment] # set before anything else happens
        self._pending = bytearray()
        self._wanted_bytes = 0  # not worth looking at less than this
        self._continued = False
        self._chunks: ChunkedBody | None = None
        self._route: Route | None = None  # of the chunked body under way
        self._answering: asyncio.Future[bytes] | None = None
        self._ended = False  # the client sends no more
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; uvloop and asyncio have set TCP_NODELAY on it."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclasses
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the connection; what is being answered runs to its end, for nobody."""
        self._closing = True
        self._server.connections.discard(self)

    def eof_received(self) -> bool:
        """Keep the transport open where answers are still to come."""
        self._ended = True
        return self._answering is not None

    def pause_writing(self) -> None:
        """Take no more requests from a client that does not read its answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._transport.resume_reading()

    def close_if_idle(self) -> None:
        """Close unless a request is under way."""
        if not self._pending and self._chunks is None and self._answering is None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole; keep the rest."""
        if self._closing:
            return
        if self._pending or self._answering is not None:
            self._pending += data
            if self._answering is not None:
                if len(self._pending) > _MAX_WAITING_BYTES:
                    self._transport.pause_reading()
                return
            if len(self._pending) < self._wanted_bytes:
                return
            data = bytes(self._pending)
            self._pending.clear()
        self._take(data)

    def _take(self, data: bytes) -> None:
        if self._chunks is not None:
            data = self._feed_chunks(data)
        while data and not self._closing:
            if self._answering is not None:
                self._pending += data
                return
            data = self._take_request(data)

    def _take_request(self, data: bytes) -> bytes:
        """Take one request off the front of `data`; return what is left, or empty where more must come first."""
        head_end = data.find(_HEAD_END) + 4
        if head_end == 3:
            return self._wait_for_head(data)
        try:
            route = self._server.route(data[:head_end])
        except BadHeadError as error:
            return self._refuse(400, str(error))
        body_end = head_end + route.content_length
        if route.content_length > self._server.max_body_bytes:
            return self._refuse(413, f"{self._too_large()}: {route.content_length}")
        if route.chunked:
            self._continue(route)
            self._chunks, self._route = ChunkedBody(), route
            return self._feed_chunks(data[head_end:])
        if body_end > len(data):
            self._continue(route)
            return self._wait(data, body_end)
        self._respond(route, data[head_end:body_end])
        return data[body_end:]

    def _feed_chunks(self, data: bytes) -> bytes:
        assert self._chunks is not None
        assert self._route is not None
        try:
            rest = self._chunks.feed(data)
        except BadChunkError as error:
            return self._refuse(400, str(error))
        if len(self._chunks.data) > self._server.max_body_bytes:
            return self._refuse(413, self._too_large())
        if self._chunks.complete:
            body, self._chunks = bytes(self._chunks.data), None
            self._respond(self._route, body)
        return rest

    def _wait_for_head(self, data: bytes) -> bytes:
        if len(data) > _MAX_HEAD_BYTES:
            return self._refuse(431, f"the request's head is longer than {_MAX_HEAD_BYTES} bytes")
        return self._wait(data, len(data) + 1)

    def _wait(self, data: bytes, wanted_bytes: int) -> bytes:
        self._pending += data
        self._wanted_bytes = wanted_bytes
        return b""

    def _continue(self, route: Route) -> None:
        if route.expects_continue and not self._continued:
            self._continued = True
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _respond(self, route: Route, body: bytes) -> None:
        self._continued = False
        response = route.respond(body)
        if isinstance(response, bytes):
            self._transport.write(response)
            if not route.keep_alive or self._server.draining:
                self._close()
        else:
            self._answering = asyncio.ensure_future(response)
            self._answering.add_done_callback(lambda done: self._answered(route, done))

    def _answered(self, route: Route, done: asyncio.Future[bytes]) -> None:
        self._answering = None
        if self._closing or done.cancelled():
            return
        self._transport.write(done.result())
        if not route.keep_alive or self._server.draining:
            self._close()
        if self._pending and not self._closing:
            data = bytes(self._pending)
            self._pending.clear()
            self._transport.resume_reading()
            self._take(data)
        if self._ended and self._answering is None:
            self._transport.close()

    def _close(self) -> None:
        self._closing = True
        self._transport.close()

    def _too_large(self) -> str:
        return f"the body is larger than {self._server.max_body_bytes} bytes"

    def _refuse(self, status: int, message: str) -> bytes:
        """Answer and close; what still arrives is read and dropped for a while, or it would reset the answer away."""
        self._closing = True
        self._pending.clear()
        self._chunks = None
        self._transport.write(refuse(status, message).framed(b"Connection: close\r\n"))
        if self._transport.can_write_eof():
            self._transport.write_eof()
        asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._transport.close)
        return b""
