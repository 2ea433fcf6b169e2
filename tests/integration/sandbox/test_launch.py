"""The sandbox leaves nothing behind: no process, no port, whoever dies and however."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import launch
from sandbox.processes import REPOSITORY_ROOT
from sandbox.runtime import Runtime


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in found for child in file.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_dead(pids: list[int], within_seconds: float = 10.0) -> list[int]:
    deadline = time.monotonic() + within_seconds
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_sandbox_ends_with_its_owner_even_when_that_is_killed(tmp_path: Path) -> None:
    program = "import os, pathlib, sys, time; from sandbox import launch; "
    program += "launch.start(pathlib.Path(sys.argv[1]), owner_pid=os.getpid()); print('up', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=REPOSITORY_ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        state = json.loads((tmp_path / "state.json").read_text())
        processes = [state["pid"], *children_of(state["pid"])]
        assert len(processes) >= 2  # the data plane is one
        owner.kill()
    assert wait_until_dead(processes) == []
    assert not listens(state["port"])
    assert not listens(state["dataplane_port"])


def test_interrupted_start_leaves_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def interrupt(runtime: Runtime, pid: int, log: Path) -> None:
        started.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "_await_answer", interrupt)
    with pytest.raises(KeyboardInterrupt):
        launch.start(tmp_path)
    assert len(started) == 1
    assert wait_until_dead(started, 0.0) == []


def test_server_holds_nothing_that_its_starter_has_open(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        launch.start(tmp_path, owner_pid=os.getpid())
        os.close(writing)
        assert select.select([reading], [], [], 0.0)[0] == [reading]  # the end of the pipe: nobody else writes
    finally:
        os.close(reading)
        launch.stop(tmp_path)


def test_killed_server_takes_its_children_along_and_can_be_started_again(tmp_path: Path) -> None:
    first = launch.start(tmp_path, owner_pid=os.getpid())
    pid = launch.status(first)["pid"]
    processes = [pid, *children_of(pid)]
    os.kill(pid, signal.SIGKILL)
    assert wait_until_dead(processes) == []
    os.waitpid(pid, 0)
    assert launch.running(tmp_path) is None
    again = launch.start(tmp_path, owner_pid=os.getpid())
    assert launch.start(tmp_path) == launch.start(tmp_path, port=again.port) == again
    with pytest.raises(launch.SandboxError, match=f"runs on port {again.port} already"):
        launch.start(tmp_path, port=1)
    processes = [launch.status(again)["pid"], *children_of(launch.status(again)["pid"])]
    assert launch.stop(tmp_path)
    assert wait_until_dead(processes, 0.0) == []
    assert launch.running(tmp_path) is None
    assert not launch.stop(tmp_path)


def test_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(launch.SandboxError, match=f"Port {port} is taken"):
            launch.start(tmp_path, port=port)
