"""Child processes that die with the sandbox: jobs, model servers, Lambda workers, the data plane.

A child that loses its parent would keep its port and its memory. The kernel can kill it (``PR_SET_PDEATHSIG``,
prctl(2)), but it watches the *thread* that forked: a child started by a request's thread would be killed when that
request is answered. So every child is forked by one thread that lives as long as the sandbox.

Only the child itself dies with a killed sandbox; what it started in turn ends with it only through :func:`terminate`,
which signals the child's whole process group.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-forker")


@dataclass(frozen=True)
class Process:
    """A child of the sandbox.

    Parameters
    ----------
    popen : subprocess.Popen
        The running child; leader of its own process group.
    log : Path
        Where its standard output and error go.
    """

    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Process id, also the id of the child's process group."""
        return self.popen.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for the signal that ended it; None while it runs."""
        return self.popen.poll()

    def wait(self, timeout_seconds: float | None = None) -> int | None:
        """Return the exit code, or None when the child still runs after `timeout_seconds`."""
        try:
            return self.popen.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None


def spawn(
    args: list[str], *, env: dict[str, str], log: Path, cwd: Path | None = None, pass_fds: tuple[int, ...] = ()
) -> Process:
    """Start `args` as a child that dies with the sandbox.

    Parameters
    ----------
    args : list of str
        Program and arguments; no shell.
    env : dict of str to str
        Added to PATH, HOME and the locale, which are all that is inherited, and to a PYTHONPATH with the
        repository's root.
    log : Path
        File that standard output and error are appended to.
    cwd : Path, optional
        Working directory; the sandbox's own by default.
    pass_fds : tuple of int
        File descriptors the child keeps open.

    Raises
    ------
    OSError
        The program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment = {**inherited, "PYTHONPATH": str(REPOSITORY_ROOT), "PYTHONUNBUFFERED": "1", **env}
    return _forker.submit(_fork, args, environment, log, cwd, pass_fds).result()


def terminate(*processes: Process, grace_seconds: float = 30.0) -> None:
    """Send SIGTERM to the process groups of all `processes`, and SIGKILL to what is left after `grace_seconds`."""
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    for process in processes:
        process.wait(max(0.0, deadline - time.monotonic()))
    for process in processes:
        _signal_group(process, signal.SIGKILL)
        process.wait()


def log_tail(log: Path, lines: int = 20) -> list[str]:
    """Return the last non-empty `lines` of a log; empty if there is none."""
    if not log.exists():
        return []
    return [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-lines:]


def _fork(args: list[str], env: dict[str, str], log: Path, cwd: Path | None, pass_fds: Iterable[int]) -> Process:
    parent = os.getpid()

    def die_with_parent() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the kernel was told to watch it
            os._exit(1)

    with log.open("ab") as output:
        popen = subprocess.Popen(
            args,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - runs two system calls, no Python lock is taken
        )
    return Process(popen, log)


def _signal_group(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
