"""The instances of a job: each its own ``/opt/ml`` below a directory, and one process in it."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from sandbox.processes import Process, spawn, terminate
from sandbox.runtime import Runtime

OPT_ML = "/opt/ml"
POLL_SECONDS = 0.05
REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
STOP_GRACE_SECONDS = 120.0  # SIGTERM, then SIGKILL after 120 s: your-algorithms-training-algo-running-container.html

_IN_TEXT = re.compile(r"(?:(?<=^)|(?<==))/opt/ml(?=/|$)")


class Ending(Enum):
    """Why the processes of a job are over."""

    EXITED = "exited"
    STOPPED = "stopped"
    MAX_RUNTIME = "max_runtime"


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One machine of a job.

    Parameters
    ----------
    host : str
        Its name, ``algo-1`` for the first.
    root : Path
        Directory that stands in for ``/``.
    log : Path
        Standard output and error of its container.
    """

    host: str
    root: Path
    log: Path

    @property
    def opt_ml(self) -> Path:
        """The directory that stands in for ``/opt/ml``."""
        return self.root / "opt" / "ml"

    def path(self, container_path: str) -> Path:
        """Return where `container_path`, which is below ``/opt/ml``, lies on this machine."""
        return Path(self.relocate(container_path))

    def relocate(self, text: str) -> str:
        """Return `text` with ``/opt/ml`` replaced where a path begins: at its start or after an equals sign."""
        return _IN_TEXT.sub(str(self.opt_ml), text)

    def write_json(self, container_path: str, content: Any) -> None:
        """Write one of the files SageMaker puts into a container."""
        path = self.path(container_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))

    def read_text(self, container_path: str, limit: int) -> str:
        """Return at most `limit` characters of a file the container left; empty if there is none."""
        path = self.path(container_path)
        return path.read_text(errors="replace")[:limit].strip() if path.is_file() else ""

    def start(self, command: list[str], environment: Mapping[str, str]) -> Process:
        """Run `command` in this container; ``python3`` is the sandbox's own interpreter."""
        program, *arguments = [self.relocate(item) for item in command]
        if Path(program).name in {"python", "python3"}:
            program = sys.executable
        variables = {name: self.relocate(value) for name, value in environment.items()}
        return spawn(
            [program, *arguments],
            env={**variables, "SAGEMAKER_BASE_DIR": str(self.opt_ml)},
            log=self.log,
            cwd=self.root,
        )


def aws_environment(runtime: Runtime, role_arn: str, *, isolated: bool) -> dict[str, str]:
    """Return the variables that lead a container's AWS SDK to the sandbox; an isolated one knows only its region."""
    variables = runtime.environment(role_arn)
    return {name: variables[name] for name in REGION_VARIABLES} if isolated else variables


def instances(directory: Path, count: int) -> list[Instance]:
    """Return the `count` machines of a job that lives in `directory`, with their ``/opt/ml`` made."""
    hosts = [f"algo-{number}" for number in range(1, count + 1)]
    machines = [Instance(host=host, root=directory / host, log=directory / f"{host}.log") for host in hosts]
    for machine in machines:
        machine.opt_ml.mkdir(parents=True)
    return machines


def run(
    machines: list[Instance],
    start: Callable[[Instance], Process],
    *,
    stop: threading.Event,
    max_runtime_seconds: float,
) -> tuple[Ending, dict[str, int]]:
    """Run one process on every machine until all are over, one failed, `stop` is set or the time is up.

    Returns
    -------
    ending : Ending
        Why it ended.
    exit_codes : dict of str to int
        By host, negative for a signal. Of a failed job only the hosts that failed by themselves.
    """
    processes = {machine.host: start(machine) for machine in machines}
    deadline = time.monotonic() + max_runtime_seconds
    while True:
        codes = {host: process.exit_code for host, process in processes.items()}
        failed = {host: code for host, code in codes.items() if code not in (None, 0)}
        if failed or None not in codes.values():
            terminate(*processes.values(), grace_seconds=STOP_GRACE_SECONDS)
            return Ending.EXITED, {host: code for host, code in (failed or codes).items() if code is not None}
        if stop.wait(POLL_SECONDS) or time.monotonic() > deadline:
            terminate(*processes.values(), grace_seconds=STOP_GRACE_SECONDS)
            return (Ending.STOPPED if stop.is_set() else Ending.MAX_RUNTIME), {}


def shell_exit_code(code: int) -> int:
    """Return the exit code as Docker reports it: 128 + the signal's number for a killed process."""
    return code if code >= 0 else 128 - code
