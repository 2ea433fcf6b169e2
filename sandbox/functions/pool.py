"""Warm workers: which process runs a function's next event."""

from __future__ import annotations

import io
import json
import shutil
import socket
import struct
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.logs import LogShipper
from sandbox.processes import Process, spawn, terminate
from sandbox.runtime import Runtime

WORKER = Path(__file__).with_name("worker.py")
MAX_WORKERS = 4  # of one function version; AWS would start as many as there are events at once
INIT_SECONDS = 10.0  # lambda-runtime-environment.html, init phase; not part of the function's timeout
GRACE_SECONDS = 2.0  # Lambda gives no more: lambda-runtime-environment.html, shutdown phase
TAIL_BYTES = 4096  # of the log, with LogType Tail: API_Invoke.html


@dataclass(frozen=True, kw_only=True)
class Version:
    """What a worker is made from; two equal versions may share workers.

    Parameters
    ----------
    arn, name, version : str
        Of the function.
    role_arn : str
        Its execution role.
    handler : str
        ``module.function``.
    code : bytes
        The deployed zip.
    code_sha256 : str
        Its hash.
    variables : mapping of str to str
        The function's own environment.
    timeout_seconds, memory_mb : int
        Its limits; memory is told, not enforced.
    log_group : str
        Where its output goes.
    """

    arn: str
    name: str
    version: str
    role_arn: str
    handler: str
    code: bytes = field(repr=False, compare=False)
    code_sha256: str
    variables: Mapping[str, str]
    timeout_seconds: int
    memory_mb: int
    log_group: str


@dataclass(frozen=True)
class Outcome:
    """How one invocation ended.

    Parameters
    ----------
    payload : str
        JSON: the handler's result, or the error in Lambda's form.
    failed : bool
        Whether it is an error.
    log_tail : bytes
        The last 4 kB it printed.
    """

    payload: str
    failed: bool
    log_tail: bytes


class Worker:
    """One process, and the socket to it."""

    def __init__(self, version: Version, directory: Path, runtime: Runtime, shipper: LogShipper) -> None:
        self.version = version
        self._shipper = shipper
        self._initialised = False
        identity = uuid.uuid4().hex
        today = datetime.now(UTC).strftime("%Y/%m/%d")
        stream = f"{today}/[{version.version}]{identity}"
        self._channel, theirs = socket.socketpair()
        environment = {
            **runtime.environment(version.role_arn),
            **version.variables,
            **_lambda_variables(version, directory, stream),
        }
        with theirs:
            self.process: Process = spawn(
                [sys.executable, "-P", str(WORKER), str(theirs.fileno())],
                env=environment,
                log=runtime.directory / "logs" / "functions" / version.name / f"{identity}.log",
                cwd=directory,
                pass_fds=(theirs.fileno(),),
            )
        shipper.follow(self.process.log, group=version.log_group, stream=stream, role_arn=version.role_arn)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.exit_code is None

    def run(self, event: Any, request_id: str) -> Outcome:
        """Let the handler work on `event`; a worker that times out or dies is of no more use."""
        start_of_log = self.process.log.stat().st_size
        invocation = {
            "request_id": request_id,
            "function_arn": self.version.arn,
            "timeout_seconds": self.version.timeout_seconds,
            "event": event,
        }
        try:
            answer = self._initialise() or self._exchange(json.dumps(invocation).encode())
        except TimeoutError:
            self.end(grace_seconds=0)
            message = f"RequestId: {request_id} Error: Task timed out after {self.version.timeout_seconds:.2f} seconds"
            answer = {"error": {"errorType": "Sandbox.Timedout", "errorMessage": message}}
        except (EOFError, OSError):
            self.end(grace_seconds=0)
            answer = {"error": self._exit_problem(request_id)}
        with self.process.log.open("rb") as log:
            log.seek(start_of_log)
            tail = log.read()[-TAIL_BYTES:]
        if "error" in answer:
            return Outcome(json.dumps(answer["error"]), failed=True, log_tail=tail)
        return Outcome(answer["payload"], failed=False, log_tail=tail)

    def end(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """End the process."""
        self._channel.close()
        terminate(self.process, grace_seconds=grace_seconds)
        self._shipper.release(self.process.log)

    def _exchange(self, body: bytes) -> dict[str, Any]:
        self._channel.settimeout(self.version.timeout_seconds)
        self._channel.sendall(struct.pack(">I", len(body)) + body)
        return self._receive(self.version.timeout_seconds)

    def _initialise(self) -> dict[str, Any]:
        """Wait, the first time, until the handler is imported; return the error if it cannot be."""
        if self._initialised:
            return {}
        problem = self._receive(INIT_SECONDS)
        self._initialised = not problem
        if problem:
            self.end()
        return problem

    def _receive(self, timeout_seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_seconds
        size = struct.unpack(">I", self._read(4, deadline))[0]
        answer: dict[str, Any] = json.loads(self._read(size, deadline))
        return answer

    def _read(self, size: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            self._channel.settimeout(max(0.001, deadline - time.monotonic()))
            part = self._channel.recv(size - len(parts))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def _exit_problem(self, request_id: str) -> dict[str, str]:
        code = self.process.exit_code or 0
        how = f"exit status {code}" if code >= 0 else f"signal {-code}"
        message = f"RequestId: {request_id} Error: Runtime exited with error: {how}"
        return {"errorType": "Runtime.ExitError", "errorMessage": message}


class Pool:
    """The workers of one function version, replaced when its code or configuration changes."""

    def __init__(self, runtime: Runtime, shipper: LogShipper) -> None:
        self._runtime = runtime
        self._shipper = shipper
        self._version: Version | None = None
        self._directory = Path()
        self._idle: list[Worker] = []
        self._slots = threading.Semaphore(MAX_WORKERS)
        self._lock = threading.Lock()
        self._ended = False

    def run(self, version: Version, event: Any, request_id: str) -> Outcome:
        """Run `event` on an idle worker, on a new one, or on the first that becomes idle."""
        with self._slots:
            worker = self._take(version)
            outcome = worker.run(event, request_id)
            self._give_back(worker)
            return outcome

    def end(self) -> None:
        """End the workers, and wait a moment for those at work: their last lines are shipped while their role may."""
        with self._lock:
            self._ended = True
            workers, self._idle = self._idle, []
        for worker in workers:
            worker.end()
        deadline = time.monotonic() + GRACE_SECONDS
        free = sum(self._slots.acquire(timeout=max(0.0, deadline - time.monotonic())) for _ in range(MAX_WORKERS))
        if free:
            self._slots.release(free)

    def _take(self, version: Version) -> Worker:
        with self._lock:
            if version != self._version:
                self._replace(version)
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                worker.end()
        return Worker(version, self._directory, self._runtime, self._shipper)

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            if worker.alive and worker.version == self._version and not self._ended:
                self._idle.append(worker)
                return
        worker.end()

    def _replace(self, version: Version) -> None:
        for worker in self._idle:
            worker.end()
        self._idle = []
        if self._version is None or self._version.code_sha256 != version.code_sha256:
            self._directory = _unzip(version, self._runtime.directory / "functions")
        self._version = version


def _unzip(version: Version, root: Path) -> Path:
    directory = root / version.name / f"{version.version.strip('$')}-{uuid.uuid4().hex[:8]}"
    with zipfile.ZipFile(io.BytesIO(version.code)) as archive:
        archive.extractall(directory)
    for older in directory.parent.glob(f"{version.version.strip('$')}-*"):
        if older != directory:
            shutil.rmtree(older, ignore_errors=True)  # a worker that is busy has its modules already
    return directory


def _lambda_variables(version: Version, directory: Path, stream: str) -> dict[str, str]:
    """Return the variables Lambda sets: configuration-envvars.html, "Defined runtime environment variables"."""
    return {
        "PYTHONPATH": str(directory),
        "LAMBDA_TASK_ROOT": str(directory),
        "TZ": ":UTC",
        "_HANDLER": version.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": version.name,
        "AWS_LAMBDA_FUNCTION_VERSION": version.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": version.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
    }
