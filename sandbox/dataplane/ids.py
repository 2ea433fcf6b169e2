"""Ids that look like AWS's."""

from __future__ import annotations

import random


def new_id() -> str:
    """Return a UUID of version 4; unique enough for a log, not for a secret."""
    digits = random.randbytes(16).hex()  # noqa: S311 - no secret
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{digits[16:20]}-{digits[20:]}"
