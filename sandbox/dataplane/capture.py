"""Data capture: a sample of requests and answers, written to S3 in SageMaker's layout and format.

Only answers of status 2xx are captured. A file holds what came within a second, where SageMaker collects for minutes.

References
----------
SageMaker developer guide, "Data capture" (``<uri>/<endpoint>/<variant>/yyyy/mm/dd/hh/<file>.jsonl``);
API_DataCaptureConfig.html: content types that are named neither as CSV nor as JSON are written in base64.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson

from sandbox.dataplane.ids import new_id
from sandbox.dataplane.upstream import Upstream, UpstreamError
from sandbox.sessions import access_key_id

FLUSH_SECONDS = 1.0
MODES = {"Input": "endpointInput", "Output": "endpointOutput"}
_SCOPE = "20000101/us-east-1/s3/aws4_request"  # names the service

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaptureRule:
    """An endpoint's DataCaptureConfig, as CreateEndpointConfig takes it, and `role_arn`: whose role writes."""

    config: Mapping[str, Any]

    @property
    def encodings(self) -> dict[str, str]:
        """Encoding by content type."""
        header = self.config.get("CaptureContentTypeHeader") or {}
        named = {"CSV": header.get("CsvContentTypes"), "JSON": header.get("JsonContentTypes")}
        return {each: encoding for encoding, types in named.items() for each in types or ()}

    def takes_one(self) -> bool:
        """Return whether this request is one of the sample."""
        percentage: int = self.config["InitialSamplingPercentage"]
        return random.random() * 100 < percentage  # noqa: S311 - traffic, not secrets

    def line(self, exchange: Exchange, event_id: str, now: datetime) -> bytes:
        """Return the exchange as a line of the file."""
        sides = {"Input": (exchange.sent_type, exchange.sent), "Output": (exchange.got_type, exchange.got)}
        captured = {
            MODES[mode]: {"observedContentType": kind, "mode": mode.upper(), **self._encoded(kind, body)}
            for mode, (kind, body) in sides.items()
            if {"CaptureMode": mode} in self.config["CaptureOptions"]
        }
        document = {
            "captureData": captured,
            "eventMetadata": {"eventId": event_id, "inferenceTime": f"{now:%Y-%m-%dT%H:%M:%SZ}"},
            "eventVersion": "0",
        }
        return orjson.dumps(document) + b"\n"

    def _encoded(self, content_type: str, body: bytes) -> dict[str, str]:
        encoding = self.encodings.get(content_type.partition(";")[0].strip().lower(), "BASE64")
        data = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode(errors="replace")
        return {"data": data, "encoding": encoding}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer: content type and body of each."""

    sent_type: str
    sent: bytes
    got_type: str
    got: bytes


class Captures:
    """What was captured and is not written yet, of all endpoints.

    Parameters
    ----------
    front : Upstream
        Where S3 is.
    """

    def __init__(self, front: Upstream) -> None:
        self._front = front
        self._lines: defaultdict[tuple[str, str, str], list[bytes]] = defaultdict(list)
        self._flusher: asyncio.Task[None] | None = None

    def note(self, rule: CaptureRule, endpoint: str, variant: str, exchange: Exchange) -> None:
        """Keep an exchange, if it is one of the sample, until it is written."""
        if not rule.takes_one():
            return
        now = datetime.now(UTC)
        uri = rule.config["DestinationS3Uri"].rstrip("/")
        folder = f"{uri}/{endpoint}/{variant}/{now:%Y/%m/%d/%H}"
        place = (folder, rule.config.get("KmsKeyId") or "", access_key_id(rule.config["role_arn"]))
        self._lines[place].append(rule.line(exchange, new_id(), now))
        if self._flusher is None:
            self._flusher = asyncio.get_running_loop().create_task(self._flush_soon())

    async def flush(self) -> None:
        """Write what was captured until now."""
        lines, self._lines = self._lines, defaultdict(list)
        for (folder, key_id, session), each in lines.items():
            now = datetime.now(UTC)
            name = f"{now:%M-%S}-{now.microsecond // 1000:03d}-{new_id()}.jsonl"
            await self._put(f"{folder}/{name}", b"".join(each), key_id, session)

    async def _flush_soon(self) -> None:
        await asyncio.sleep(FLUSH_SECONDS)
        self._flusher = None
        await self.flush()

    async def _put(self, uri: str, body: bytes, key_id: str, session: str) -> None:
        path = quote("/" + uri.removeprefix("s3://"))
        encryption = (
            f"x-amz-server-side-encryption: aws:kms\r\nx-amz-server-side-encryption-aws-kms-key-id: {key_id}\r\n"
            if key_id
            else ""
        )
        head = (
            f"PUT {path} HTTP/1.1\r\nHost: s3.amazonaws.com\r\n{encryption}"
            f"Authorization: AWS4-HMAC-SHA256 Credential={session}/{_SCOPE}, SignedHeaders=host, Signature=0\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            answer = await self._front.exchange(head.encode() + body)
        except UpstreamError as error:
            log.warning("captured data were not written to %s: %s", uri, error)
            return
        if answer.status != 200:
            log.warning("captured data were not written to %s: %d %s", uri, answer.status, answer.body[:500])
