"""Ships the log files of children to CloudWatch Logs, line by line, while they are written."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.runtime import Runtime

INTERVAL_SECONDS = 2.0
BATCH_EVENTS = 1_000  # PutLogEvents takes 10,000 events and 1 MiB; a line is seldom longer than 1 kB
LINE_CHARACTERS = 4_000

_log = logging.getLogger(__name__)


@dataclass
class _Stream:
    group: str
    name: str
    role_arn: str | None
    offset_bytes: int = 0
    ready: bool = False


class LogShipper:
    """Follows any number of log files.

    Parameters
    ----------
    runtime : Runtime
        Where CloudWatch Logs answers.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._streams: dict[Path, _Stream] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-logs", daemon=True)
        self._thread.start()

    def follow(self, log: Path, *, group: str, stream: str, role_arn: str | None) -> None:
        """Ship what is and will be in `log` to `stream` of `group`; both are created when they are missing.

        Parameters
        ----------
        role_arn : str, optional
            As whom; by default as the sandbox's user.
        """
        with self._lock:
            self._streams[log] = _Stream(group, stream, role_arn)

    def release(self, *logs: Path) -> None:
        """Ship the rest of `logs` and forget them."""
        for log in logs:
            with self._lock:
                stream = self._streams.pop(log, None)
                if stream:
                    self._ship(log, stream, last=True)

    def stop(self) -> None:
        """End the shipping thread; what is not shipped yet stays in the files."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(INTERVAL_SECONDS):
            with self._lock:
                for log, stream in self._streams.items():
                    self._ship(log, stream, last=False)

    def _ship(self, log: Path, stream: _Stream, *, last: bool) -> None:
        lines = _new_lines(log, stream, last=last)
        now_ms = int(time.time() * 1000)
        events = [{"timestamp": now_ms, "message": line[:LINE_CHARACTERS]} for line in lines]
        try:
            for start in range(0, len(events), BATCH_EVENTS):
                self._put(stream, events[start : start + BATCH_EVENTS])
        except (ClientError, BotoCoreError) as error:  # a group somebody deleted, a sandbox that goes down
            _log.warning("%s is not shipped to %s: %s", log, stream.group, error)

    def _put(self, stream: _Stream, events: list[dict[str, object]]) -> None:
        client = self._runtime.client("logs", stream.role_arn)
        if not stream.ready:
            _create(client, stream)
        client.put_log_events(logGroupName=stream.group, logStreamName=stream.name, logEvents=events)


def _create(client: Any, stream: _Stream) -> None:
    """Create the stream, and its group where there is none: a role may do the latter only if it has to."""
    names = {"logGroupName": stream.group, "logStreamName": stream.name}
    try:
        client.create_log_stream(**names)
    except client.exceptions.ResourceNotFoundException:
        with suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_group(logGroupName=stream.group)
        client.create_log_stream(**names)
    except client.exceptions.ResourceAlreadyExistsException:
        pass
    stream.ready = True


def _new_lines(log: Path, stream: _Stream, *, last: bool) -> list[str]:
    """Return the complete lines added since the last call; at the end also an unfinished one."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(stream.offset_bytes)
        new = file.read()
    if not last:
        new = new[: new.rfind(b"\n") + 1]
    stream.offset_bytes += len(new)
    return [line for line in new.decode(errors="replace").splitlines() if line.strip()]
