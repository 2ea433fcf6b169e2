"""An HTTP/1 server for short synchronous handlers, on asyncio's (uvloop's) Protocol.

Clients of a model server send the same head again and again, so what follows from a head (handler, framing, response
lines) is worked out once by `parse_head` and remembered by its bytes; a remembered head gives exactly the bytes that a
fresh one gives. Handlers run in the event loop: a prediction takes microseconds, a hand-over would take longer.

Not here: TLS, HTTP/2, limits on a client's time. SageMaker's own front stands before a container and has them.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

from serving.application import MAX_BODY_BYTES, Answer, Application, Handler, refuse
from serving.chunked_body import BadChunkError, ChunkedBody
from serving.errors import RequestError
from serving.http_head import BadHeadError, RequestHead, parse_head

LOG = logging.getLogger("serving")

_HEAD_END = b"\r\n\r\n"
_MAX_HEAD_BYTES = 65_536
_REMEMBERED_HEADS, _REMEMBERED_HEAD_BYTES = 1024, 4096
_LINGER_SECONDS = 2.0
_TOO_LARGE = f"the body is larger than {MAX_BODY_BYTES} bytes"
_STATUS_LINES = {int(each): f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Route:
    """All that follows from a request's head."""

    content_length: int
    chunked: bool
    keep_alive: bool
    expects_continue: bool
    respond: Callable[[bytes], bytes]


class ModelServer:
    """Serves one application on one listening socket.

    Parameters
    ----------
    application : Application
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._routes: dict[bytes, Route] = {}
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self.draining = False

    async def listen(self, host: str, port: int) -> int:
        """Accept connections; return the port, which the system chooses where 0 is given."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Connection(self), host, port, backlog=4096)
        return int(self._listener.sockets[0].getsockname()[1])

    async def drain(self, timeout_seconds: float) -> None:
        """Stop accepting, close idle connections, let requests under way be answered for up to `timeout_seconds`."""
        assert self._listener is not None
        self.draining = True
        self._listener.close()
        for connection in tuple(self._connections):
            connection.close_if_idle()
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while self._connections and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)

    def opened(self, connection: Connection) -> None:
        """Count `connection` in."""
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """Count `connection` out."""
        self._connections.discard(connection)

    def route(self, head: bytes) -> Route:
        """Return the route of a head; raises BadHeadError."""
        route = self._routes.get(head)
        if route is None:
            route = self._make_route(parse_head(head))
            if len(head) <= _REMEMBERED_HEAD_BYTES:
                if len(self._routes) >= _REMEMBERED_HEADS:
                    self._routes.clear()
                self._routes[head] = route
        return route

    def _make_route(self, head: RequestHead) -> Route:
        return Route(
            content_length=head.content_length,
            chunked=head.chunked,
            keep_alive=head.keep_alive,
            expects_continue=head.expects_continue,
            respond=_responder(self._application.handler(head), head),
        )


class Connection(asyncio.Protocol):
    """One client's connection: takes requests apart, answers them in order."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self._transport: asyncio.Transport = None  # type: ignore[assignment] # set before anything else happens
        self._pending = bytearray()
        self._wanted_bytes = 0  # not worth looking at less than this
        self._continued = False
        self._chunks: ChunkedBody | None = None
        self._route: Route | None = None  # of the chunked body under way
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet nobody, but send small answers at once."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclasses
        client = transport.get_extra_info("socket")
        if client is not None and client.family != socket.AF_UNIX:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the connection."""
        self._server.closed(self)

    def pause_writing(self) -> None:
        """Take no more requests from a client that does not read its answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._transport.resume_reading()

    def close_if_idle(self) -> None:
        """Close unless a request is under way."""
        if not self._pending and self._chunks is None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole; keep the rest."""
        if self._closing:
            return
        if self._pending:
            self._pending += data
            if len(self._pending) < self._wanted_bytes:
                return
            data = bytes(self._pending)
            self._pending.clear()
        if self._chunks is not None:
            data = self._feed_chunks(data)
        while data and not self._closing:
            data = self._take_request(data)

    def _take_request(self, data: bytes) -> bytes:
        """Take one request off the front of `data`; return what is left, or empty where more must come first."""
        head_end = data.find(_HEAD_END) + 4
        if head_end == 3:
            if len(data) > _MAX_HEAD_BYTES:
                self._refuse(431, f"the request's head is longer than {_MAX_HEAD_BYTES} bytes")
            return self._wait(data, len(data) + 1)
        try:
            route = self._server.route(data[:head_end])
        except BadHeadError as error:
            self._refuse(400, str(error))
            return b""
        body_end = head_end + route.content_length
        if route.content_length > MAX_BODY_BYTES:
            self._refuse(413, f"{_TOO_LARGE}: {route.content_length}")
            return b""
        if route.chunked:
            self._continue(route)
            self._chunks, self._route = ChunkedBody(), route
            return self._feed_chunks(data[head_end:])
        if body_end > len(data):
            self._continue(route)
            return self._wait(data, body_end)
        self._send(route, data[head_end:body_end])
        return data[body_end:]

    def _feed_chunks(self, data: bytes) -> bytes:
        assert self._chunks is not None
        assert self._route is not None
        try:
            rest = self._chunks.feed(data)
        except BadChunkError as error:
            self._refuse(400, str(error))
            return b""
        if len(self._chunks.data) > MAX_BODY_BYTES:
            self._refuse(413, _TOO_LARGE)
            return b""
        if self._chunks.complete:
            body, self._chunks = bytes(self._chunks.data), None
            self._send(self._route, body)
        return rest

    def _wait(self, data: bytes, wanted_bytes: int) -> bytes:
        self._pending += data
        self._wanted_bytes = wanted_bytes
        return b""

    def _continue(self, route: Route) -> None:
        if route.expects_continue and not self._continued:
            self._continued = True
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _send(self, route: Route, body: bytes) -> None:
        self._continued = False
        self._transport.write(route.respond(body))
        if not route.keep_alive or self._server.draining:
            self._closing = True
            self._transport.close()

    def _refuse(self, status: int, message: str) -> None:
        """Answer and close; what still arrives is read and dropped for a while, or it would reset the answer away."""
        self._closing = True
        self._pending.clear()
        self._chunks = None
        self._transport.write(_frame(refuse(status, message), b"Connection: close\r\n", with_body=True))
        if self._transport.can_write_eof():
            self._transport.write_eof()
        asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._transport.close)


def _responder(handle: Handler, head: RequestHead) -> Callable[[bytes], bytes]:
    connection = b""
    if not head.keep_alive:
        connection = b"Connection: close\r\n"
    elif head.version == "1.0":
        connection = b"Connection: keep-alive\r\n"
    with_body = head.method != "HEAD"

    def respond(body: bytes) -> bytes:
        try:
            answer = handle(body)
        except RequestError as error:
            answer = refuse(error.status, str(error))
        except Exception:
            LOG.exception("%s %s failed on a body of %d bytes", head.method, head.path, len(body))
            answer = refuse(500, "the model server failed on this request; its log says why")
        return _frame(answer, connection, with_body=with_body)

    return respond


def _frame(answer: Answer, connection: bytes, *, with_body: bool) -> bytes:
    return b"%bContent-Type: %b\r\nContent-Length: %d\r\n%b%b\r\n%b" % (
        _STATUS_LINES[answer.status],
        answer.content_type.encode(),
        len(answer.body),
        answer.headers,
        connection,
        answer.body if with_body else b"",
    )
