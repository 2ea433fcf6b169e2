"""Runs what is measured in a process of its own and reads time, processor time and peak memory of it.

A child prints one JSON object as its last line: ``seconds`` of the work itself, without imports, and what else the
benchmark wants to know. Processor time and memory are the kernel's own figures and hold for the whole process.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / "build" / "bench" / "venvs"


class MeasurementError(RuntimeError):
    """A benchmark that could not measure; the message says what failed."""


@dataclass(frozen=True)
class Measurement:
    """One run of a child."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    facts: dict[str, Any]


def run(command: Sequence[str | Path]) -> Measurement:
    """Run one child to its end.

    Raises
    ------
    MeasurementError
        If it fails, or does not end with its figures.
    """
    arguments = [str(item) for item in command]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(arguments, cwd=ROOT, env=variables, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = process.stdout.read().decode().splitlines()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not lines:
        raise MeasurementError(f"{' '.join(arguments)} ended with exit code {process.returncode}")
    facts = json.loads(lines[-1])
    return Measurement(facts["seconds"], usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, facts)


def alternate(commands: Mapping[str, Sequence[str | Path]], runs: int) -> dict[str, list[Measurement]]:
    """Run all children in turn, `runs` times, so that a busy moment of the machine hits all alike."""
    found: dict[str, list[Measurement]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            found[name].append(run(command))
    return found


def median(measurements: Sequence[Measurement], attribute: str) -> tuple[float, list[float]]:
    """Return the median of an attribute, and all its values."""
    values = [float(getattr(measurement, attribute)) for measurement in measurements]
    return statistics.median(values), values


def environment(requirements: Sequence[str]) -> Path:
    """Return the Python of an environment that holds a peer's libraries, made on first use."""
    key = sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:12]
    directory = ENVIRONMENTS / key
    python = directory / "bin" / "python"
    if not (directory / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *requirements], check=True)
        (directory / "complete").touch()
    return python
