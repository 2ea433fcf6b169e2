"""`calls.jsonl` in the sandbox's directory: what each role did, one line for each different call."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.permissions.policy import Call

NAME = "calls.jsonl"


@dataclass(frozen=True)
class Recorded:
    """One line: who did what, and whether the role's policies allow it."""

    role: str
    call: Call
    allowed: bool


class Recording:
    """Writes what was not written before.

    Parameters
    ----------
    directory : Path
        The sandbox's.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._seen: set[Recorded] = set()
        self._lock = threading.Lock()

    def add(self, recorded: Recorded) -> None:
        """Note one call."""
        with self._lock:
            if recorded in self._seen:
                return
            self._seen.add(recorded)
            line = {
                "role": recorded.role,
                "action": recorded.call.action,
                "resource": recorded.call.resource,
                "context": dict(recorded.call.context),
                "allowed": recorded.allowed,
            }
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def read(directory: Path) -> Iterator[Recorded]:
    """Yield the calls of a sandbox, also while it runs."""
    path = directory / NAME
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        told = json.loads(line)
        call = Call(told["action"], told["resource"], tuple(told["context"].items()))
        yield Recorded(told["role"], call, told["allowed"])
