"""An HTTP/1 server for short handlers, on asyncio's (uvloop's) Protocol.

Clients of a model server send the same head again and again, so what follows from a head (handler, framing, response
lines) is worked out once by `parse_head` and remembered by its bytes; a remembered head gives exactly the bytes that a
fresh one gives. Handlers run in the event loop: a prediction takes microseconds, a hand-over would take longer. A
handler that has to wait gives back an awaitable; the connection's next request is taken when it is done.

Not here: TLS, HTTP/2, limits on a client's time. SageMaker's own front stands before a container and has them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from serving.errors import RequestError
from serving.http_answer import Answer, refuse
from serving.http_connection import Connection
from serving.http_head import RequestHead, parse_head

LOG = logging.getLogger("serving")

_REMEMBERED_HEADS, _REMEMBERED_HEAD_BYTES = 1024, 4096
_BACKLOG = 4096
# libuv lets one connection a listener in before it goes on to answer requests: through a single one, a thousand that
# come at once get in over a thousand rounds of each other's requests.
_LISTENERS = 32

Handler = Callable[[bytes], Answer | Awaitable[Answer]]


class Service(Protocol):
    """What a server serves."""

    @property
    def max_body_bytes(self) -> int:
        """Longer bodies are answered with 413 before they are read."""

    def handler(self, head: RequestHead) -> Handler:
        """Return what answers requests with this head: it takes the body; either may raise RequestError.

        The result is remembered for equal heads until `HttpServer.forget_heads`.
        """


@dataclass(frozen=True, slots=True)
class Route:
    """All that follows from a request's head."""

    content_length: int
    chunked: bool
    keep_alive: bool
    expects_continue: bool
    respond: Callable[[bytes], bytes | Awaitable[bytes]]


class HttpServer:
    """Serves one service on one address."""

    def __init__(self, service: Service) -> None:
        self.draining = False
        self.max_body_bytes = service.max_body_bytes
        self.connections: set[Connection] = set()
        self._service = service
        self._routes: dict[bytes, Route] = {}
        self._listeners: list[asyncio.Server] = []

    async def listen(self, host: str, port: int) -> int:
        """Accept connections; return the port, which the system chooses where 0 is given."""
        loop = asyncio.get_running_loop()
        first = await loop.create_server(lambda: Connection(self), host, port, backlog=_BACKLOG)
        self._listeners.append(first)
        for bound in first.sockets:
            for _ in range(_LISTENERS - 1):
                again = await loop.create_server(lambda: Connection(self), sock=bound.dup(), backlog=_BACKLOG)
                self._listeners.append(again)
        return int(first.sockets[0].getsockname()[1])

    async def drain(self, timeout_seconds: float) -> None:
        """Stop accepting, close idle connections, let requests under way be answered for up to `timeout_seconds`."""
        self.draining = True
        for listener in self._listeners:
            listener.close()
        for connection in tuple(self.connections):
            connection.close_if_idle()
        deadline = time.monotonic() + timeout_seconds
        while self.connections and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    def forget_heads(self) -> None:
        """Ask the service again for every head: what it answers with has changed."""
        self._routes.clear()

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
            respond=_responder(self._handler(head), head),
        )

    def _handler(self, head: RequestHead) -> Handler:
        try:
            return self._service.handler(head)
        except Exception as error:
            return _raising(error)


def _raising(error: Exception) -> Handler:
    def answer(_: bytes) -> Answer:
        raise error

    return answer


def _responder(handle: Handler, head: RequestHead) -> Callable[[bytes], bytes | Awaitable[bytes]]:
    connection = b""
    if not head.keep_alive:
        connection = b"Connection: close\r\n"
    elif head.version == "1.0":
        connection = b"Connection: keep-alive\r\n"
    with_body = head.method != "HEAD"

    def explain(error: Exception, body: bytes) -> Answer:
        if isinstance(error, RequestError):
            return refuse(error.status, str(error))
        LOG.error("%s %s failed on a body of %d bytes", head.method, head.path, len(body), exc_info=error)
        return refuse(500, "the server failed on this request; its log says why")

    async def later(awaitable: Awaitable[Answer], body: bytes) -> bytes:
        try:
            answer = await awaitable
        except Exception as error:
            answer = explain(error, body)
        return answer.framed(connection, with_body=with_body)

    def respond(body: bytes) -> bytes | Awaitable[bytes]:
        try:
            answer = handle(body)
        except Exception as error:
            answer = explain(error, body)
        if isinstance(answer, Answer):
            return answer.framed(connection, with_body=with_body)
        return later(answer, body)

    return respond
