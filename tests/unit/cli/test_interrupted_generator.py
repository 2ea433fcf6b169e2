"""Ctrl-C in a load test: the generator is told, and can end what it started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sandbox.processes import REPOSITORY_ROOT

GENERATOR = """
import os, pathlib, signal, time
def stop(*_):
    time.sleep(1)  # longer than subprocess.run would wait before it kills
    pathlib.Path("stopped").touch()
    raise SystemExit
signal.signal(signal.SIGINT, stop)
os.kill(os.getppid(), signal.SIGINT)  # the user's Ctrl-C, when the test is under way
time.sleep(120)
"""
COMMAND = """
import pathlib, signal, sys
from cli.load_generators import _run
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal
_run([sys.executable, "-c", sys.argv[1]], pathlib.Path(sys.argv[2]), {})
"""


def test_interrupted_test_lets_its_generator_end_what_it_started(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, GENERATOR, str(tmp_path)],
        cwd=REPOSITORY_ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "KeyboardInterrupt" in done.stderr
    assert (tmp_path / "stopped").exists()
