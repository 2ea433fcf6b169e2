"""Children: clean environment, logs, process groups, and death with their parent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.processes import REPOSITORY_ROOT, log_tail, spawn, terminate


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(claim: Any, timeout_seconds: Any = 5.0) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not claim() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(claim())


def test_spawn_hands_over_only_the_given_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    script = "import os, json; print(sorted(os.environ)); print(os.environ['PYTHONPATH'])"
    process = spawn([sys.executable, "-c", script], env={"ONLY": "this"}, log=tmp_path / "logs" / "out.log")
    assert process.wait(10) == 0
    names, python_path = log_tail(process.log)
    assert "'ONLY'" in names
    assert "AWS_SECRET_ACCESS_KEY" not in names
    assert python_path == str(REPOSITORY_ROOT)


def test_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    started = []
    thread = threading.Thread(target=lambda: started.append(spawn(["sleep", "60"], env={}, log=tmp_path / "log")))
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert started[0].exit_code is None
    terminate(started[0])
    assert started[0].exit_code == -15


def test_terminate_kills_the_whole_group_of_a_child_that_ignores_sigterm(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 60 & echo $!; wait; sleep 60"
    process = spawn(["sh", "-c", script], env={}, log=tmp_path / "log")
    assert wait_until(lambda: log_tail(process.log) != [])
    grandchild = int(log_tail(process.log)[0])
    terminate(process, grace_seconds=0.2)
    assert process.exit_code == -9
    assert wait_until(lambda: not alive(grandchild))


def test_children_die_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time; from sandbox.processes import spawn;"
        f"p = spawn(['sleep', '60'], env={{}}, log=pathlib.Path({str(tmp_path / 'log')!r}));"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=REPOSITORY_ROOT, env=dict(os.environ)
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    assert wait_until(lambda: not alive(child))


def test_spawn_reports_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        spawn(["no-such-program"], env={}, log=tmp_path / "log")
