"""A chunked request body (RFC 9112, section 7.1), decoded as it arrives."""

from __future__ import annotations

import re

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_LONGEST_LINE_BYTES = 8192


class BadChunkError(ValueError):
    """Bytes that are not a chunked body."""


class ChunkedBody:
    """Decodes one body; `data` is whole once `complete`."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.complete = False
        self._buffer = bytearray()
        self._remaining = 0  # bytes of the current chunk still to come, its CRLF included
        self._in_trailer = False

    def feed(self, received: bytes) -> bytes:
        """Take `received`; return what lies behind the body's end (empty until then).

        Raises
        ------
        BadChunkError
            A size line, a chunk's end or a trailer that is none.
        """
        self._buffer += received
        while not self.complete and (self._take_chunk() if self._remaining else self._take_line()):
            pass
        return bytes(self._buffer) if self.complete else b""

    def _take_chunk(self) -> bool:
        if self._remaining > 2:
            piece = self._buffer[: self._remaining - 2]
            self.data += piece
            self._remaining -= len(piece)
            del self._buffer[: len(piece)]
        if self._remaining > 2 or len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise BadChunkError("a chunk does not end where its size says")
        del self._buffer[:2]
        self._remaining = 0
        return True

    def _take_line(self) -> bool:
        end = self._buffer.find(b"\r\n", 0, _LONGEST_LINE_BYTES)
        if end < 0:
            if len(self._buffer) >= _LONGEST_LINE_BYTES:
                raise BadChunkError(f"a chunk's size line or trailer is longer than {_LONGEST_LINE_BYTES} bytes")
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        if self._in_trailer:
            self.complete = not line
            return True
        size = _SIZE_LINE.fullmatch(line)
        if size is None:
            raise BadChunkError(f"a chunk's size is {line[:40]!r}, hexadecimal digits are wanted")
        length = int(size[1], 16)
        self._remaining = length + 2 if length else 0
        self._in_trailer = not length
        return True
