"""Credentials of roles: each role's session has an access key of its own, so that a signature tells who calls."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache

_KEY = re.compile(r"Credential=(ASIA[A-Z2-7]{16})/")


@lru_cache(maxsize=1024)
def access_key_id(role_arn: str) -> str:
    """Return the access key id of the sessions of a role."""
    digest = hashlib.sha256(role_arn.encode()).digest()
    return "ASIA" + base64.b32encode(digest)[:16].decode()


def session_of(authorization: str | None) -> str | None:
    """Return the access key id of the role's session that signed a request; None if none did.

    Parameters
    ----------
    authorization : str
        The request's Authorization header.
    """
    match = _KEY.search(authorization) if authorization else None
    return match[1] if match else None


def role_of(authorization: str | None, role_arns: Iterable[str]) -> str | None:
    """Return which of `role_arns` signed a request; None for the sandbox's own user, and for roles that are not there.

    Parameters
    ----------
    authorization : str
        The request's Authorization header.
    """
    session = session_of(authorization)
    return next((arn for arn in role_arns if access_key_id(arn) == session), None) if session else None
