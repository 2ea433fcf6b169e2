"""Responses: what a handler gives back, and its bytes on the wire."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

import orjson

_STATUS_LINES = {int(each): f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}


class Answer(NamedTuple):
    """A response without its framing; `headers` are further header lines, each ending in CRLF."""

    status: int
    content_type: bytes
    body: bytes
    headers: bytes = b""

    def framed(self, connection: bytes = b"", *, with_body: bool = True) -> bytes:
        """Return the response's bytes; `connection` is a Connection header line or nothing."""
        status, content_type, body, headers = self
        first_lines = _first_lines(status, content_type, len(body))
        return b"".join((first_lines, headers, connection, b"\r\n", body if with_body else b""))


@lru_cache(maxsize=1024)
def _first_lines(status: int, content_type: bytes, content_length: int) -> bytes:
    """Return the head up to Content-Length; answers of a model to one row have few lengths."""
    status_line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return b"%bContent-Type: %b\r\nContent-Length: %d\r\n" % (status_line, content_type, content_length)


def refuse(status: int, message: str, headers: bytes = b"") -> Answer:
    """Return the answer to a request that is not served: ``{"message": ...}``."""
    return Answer(status, b"application/json", orjson.dumps({"message": message}), headers)
