"""The head of an HTTP/1 request: what it asks for and how its body is framed. httptools (llhttp) does the parsing."""

from __future__ import annotations

from dataclasses import dataclass, field

import httptools


class BadHeadError(ValueError):
    """Bytes that are not the head of an HTTP/1 request."""


@dataclass(slots=True)
class RequestHead:
    """A parsed head.

    Parameters
    ----------
    method, path, query : str
        As sent: neither path nor query is decoded.
    headers : dict of str to str
        Names in lower case; values of repeated ones are joined by a comma.
    raw_headers : list of (str, str)
        Every header as sent.
    keep_alive : bool
        Whether the connection may go on after the answer.
    version : str
        ``1.0`` or ``1.1``.
    content_length : int
        Bytes of the body; 0 where the body is chunked or absent.
    chunked : bool
    """

    method: str = ""
    path: str = ""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    raw_headers: list[tuple[str, str]] = field(default_factory=list)
    keep_alive: bool = True
    version: str = "1.1"
    content_length: int = 0
    chunked: bool = False

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for 100 Continue before it sends the body."""
        return self.version == "1.1" and self.headers.get("expect", "").lower() == "100-continue"


def parse_head(head: bytes) -> RequestHead:
    """Parse `head`, which ends with its empty line; raises BadHeadError saying what is wrong."""
    collected = _Collector()
    parser = httptools.HttpRequestParser(collected)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # an offer to switch protocols may be ignored (RFC 9110, section 7.8)
    except httptools.HttpParserError as error:
        raise BadHeadError(f"not an HTTP/1 request: {error}") from None
    if not collected.complete:
        raise BadHeadError("not an HTTP/1 request: no empty line after the headers")
    headers = collected.headers
    content_length, chunked = _framing(headers)
    path, query = _split_target(collected.target)
    return RequestHead(
        method=parser.get_method().decode(),
        path=path,
        query=query,
        headers=headers,
        raw_headers=collected.raw_headers,
        keep_alive=parser.should_keep_alive(),
        version=parser.get_http_version(),
        content_length=content_length,
        chunked=chunked,
    )


def _split_target(target: bytes) -> tuple[str, str]:
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserError:
        raise BadHeadError(f"the request target {target[:80]!r} is not a path") from None
    return (url.path or b"/").decode("latin-1"), (url.query or b"").decode("latin-1")


def _framing(headers: dict[str, str]) -> tuple[int, bool]:
    """Return length and chunkedness of the body; two readings of one body would let requests be smuggled."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length", "0")
    if coding is not None:
        if coding.lower() != "chunked" or "content-length" in headers:
            raise BadHeadError(f"Transfer-Encoding is {coding!r}, only chunked without Content-Length is understood")
        return 0, True
    if not (length.isascii() and length.isdigit()):
        raise BadHeadError(f"Content-Length is {length!r}, one number is wanted")
    return int(length), False


class _Collector:
    """Gathers what httptools calls back with."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: dict[str, str] = {}
        self.raw_headers: list[tuple[str, str]] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        spelled, text = name.decode("latin-1"), value.decode("latin-1")
        self.raw_headers.append((spelled, text))
        key = spelled.lower()
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        self.complete = True
