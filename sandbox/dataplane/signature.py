"""Verifies AWS Signature Version 4 of a request, with keys derived once a day and region.

References
----------
https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, unquote

from sandbox.dataplane.gateway_responses import RejectedError
from serving.http_head import RequestHead

SERVICE = "execute-api"
MAX_SKEW_SECONDS = 300
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<access_key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/"
    r"aws4_request\s*,\s*SignedHeaders=(?P<signed>[^,\s]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_UNSIGNED_BODY = "UNSIGNED-PAYLOAD"


def verify(head: RequestHead, body: bytes, secrets: Mapping[str, str], now: float) -> str:
    """Check that the request was signed with one of `secrets` (by access key id); return the access key id.

    Raises
    ------
    RejectedError
        As API Gateway rejects it: no signature, one of another time, of another key or of other content.
    """
    header = head.headers.get("authorization")
    if header is None:
        raise RejectedError("MISSING_AUTHENTICATION_TOKEN")
    match = _AUTHORIZATION.fullmatch(header.strip())
    timestamp = head.headers.get("x-amz-date", "")
    if match is None or match["service"] != SERVICE or not timestamp.startswith(match["date"]):
        raise RejectedError(
            "INVALID_SIGNATURE", "Authorization header is not a signature for execute-api of x-amz-date."
        )
    secret = secrets.get(match["access_key"])
    if secret is None:
        raise RejectedError("INVALID_SIGNATURE", "The security token included in the request is invalid.")
    _check_time(timestamp, now)
    canonical = _canonical_request(head, match["signed"], _body_hash(head, body))
    scope = f"{match['date']}/{match['region']}/{SERVICE}/aws4_request"
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
    key = _signing_key(secret, match["date"], match["region"])
    expected = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, match["signature"]):
        raise RejectedError(
            "INVALID_SIGNATURE",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        )
    return match["access_key"]


def _check_time(timestamp: str, now: float) -> None:
    try:
        signed_at = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise RejectedError("INVALID_SIGNATURE", f"x-amz-date is {timestamp!r}, not a time.") from None
    if abs(now - signed_at) > MAX_SKEW_SECONDS:
        raise RejectedError("INVALID_SIGNATURE", f"Signature expired: {timestamp} is more than 5 min away from now.")


def _body_hash(head: RequestHead, body: bytes) -> str:
    """Return the hash that was signed; a hash sent along must be the body's own."""
    sent = head.headers.get("x-amz-content-sha256")
    if sent == _UNSIGNED_BODY:
        return sent
    digest = hashlib.sha256(body).hexdigest()
    if sent is not None and sent != digest:
        raise RejectedError("INVALID_SIGNATURE", "x-amz-content-sha256 is not the hash of the body.")
    return digest


def _canonical_request(head: RequestHead, signed: str, body_hash: str) -> str:
    headers = "".join(f"{name}:{' '.join(head.headers.get(name, '').split())}\n" for name in signed.split(";"))
    path = quote(head.path, safe="/-_.~")  # what was encoded once is encoded again, for all services but S3
    return "\n".join([head.method, path, _canonical_query(head.query), headers, signed, body_hash])


def _canonical_query(query: str) -> str:
    pairs = [part.partition("=") for part in query.split("&") if part]
    encoded = sorted((quote(unquote(key), safe="-_.~"), quote(unquote(value), safe="-_.~")) for key, _, value in pairs)
    return "&".join(f"{key}={value}" for key, value in encoded)


@lru_cache(maxsize=64)
def _signing_key(secret: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, SERVICE, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
