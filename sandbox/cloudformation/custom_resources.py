"""The answers of custom resources: a Lambda function PUTs one to the pre-signed URL it was given."""

from __future__ import annotations

import json
import queue
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LONGEST_ANSWER_BYTES = 4096  # the user guide's "Custom resource response objects"

_waiting: dict[str, queue.SimpleQueue[dict[str, Any]]] = {}


@contextmanager
def awaited_answer() -> Iterator[tuple[str, queue.SimpleQueue[dict[str, Any]]]]:
    """Yield a token for a ResponseURL and the queue in which the answer to it will be."""
    token = str(uuid.uuid4())
    _waiting[token] = queue.SimpleQueue()
    try:
        yield token, _waiting[token]
    finally:
        del _waiting[token]


def answer(token: str, body: bytes) -> bool:
    """Take the answer that was PUT for `token`; return whether anybody waits for it."""
    if token not in _waiting:
        return False
    if len(body) > LONGEST_ANSWER_BYTES:
        problem = f"Response object is too long: {len(body)} bytes, at most {LONGEST_ANSWER_BYTES}"
        _waiting[token].put({"Status": "FAILED", "Reason": problem})
        return True
    try:
        _waiting[token].put(dict(json.loads(body)))
    except (ValueError, TypeError):
        _waiting[token].put({"Status": "FAILED", "Reason": f"Invalid response object: {body[:200]!r}"})
    return True
