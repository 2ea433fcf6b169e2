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
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
UV = ROOT / ".tools" / "bin" / "uv"
ENVIRONMENTS = ROOT / "build" / "bench" / "venvs"


class MeasurementError(RuntimeError):
    """A benchmark that could not measure; the message says what failed."""


@dataclass(frozen=True)
class Measurement:
    """One run of a child.

    Parameters
    ----------
    seconds : float
        Of the work itself, as the child says.
    wall_seconds, cpu_seconds : float
        Of the whole process.
    peak_mib : float
    facts : dict
        All that the child says.
    """

    seconds: float
    wall_seconds: float
    cpu_seconds: float
    peak_mib: float
    facts: dict[str, Any]

    @property
    def work_cpu_seconds(self) -> float:
        """Processor time of the work itself; unlike its time, a busy machine hardly stretches it."""
        return float(self.facts["work_cpu_seconds"])


def variables(**more: str) -> dict[str, str]:
    """Return the environment of everything that is measured, ours and peers: compiled modules are kept for all."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "PYTHONPATH": str(ROOT), **more}


def run(command: Sequence[str | Path], *, prints: bool = True) -> Measurement:
    """Run one child to its end; one that does not print its figures is measured whole.

    Raises
    ------
    MeasurementError
        If it fails, or does not end with its figures.
    """
    arguments = [str(item) for item in command]
    started = time.perf_counter()
    with subprocess.Popen(arguments, cwd=ROOT, env=variables(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = process.stdout.read().decode().splitlines()
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or (prints and not lines):
        raise MeasurementError(f"{' '.join(arguments)[-200:]} ended with exit code {process.returncode}")
    facts = json.loads(lines[-1]) if prints else {"seconds": wall_seconds}
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return Measurement(facts["seconds"], wall_seconds, cpu_seconds, usage.ru_maxrss / 1024, facts)


def alternate(
    commands: Mapping[str, Sequence[str | Path]], runs: int, *, prints: bool = True
) -> dict[str, list[Measurement]]:
    """Run all children in turn, `runs` times, so that a busy moment of the machine hits all alike."""
    found: dict[str, list[Measurement]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            found[name].append(run(command, prints=prints))
    return found


def median(measurements: Sequence[Measurement], attribute: str) -> tuple[float, list[float]]:
    """Return the median of an attribute, and all its values."""
    values = [float(getattr(measurement, attribute)) for measurement in measurements]
    return statistics.median(values), values


def versions(*distributions: str, beside: Sequence[str] = ()) -> list[str]:
    """Return what the project has of `distributions`, and the peers' pinned requirements, as ``name version``."""
    return [f"{name} {version(name)}" for name in distributions] + [each.replace("==", " ") for each in beside]


def environment(requirements: Sequence[str]) -> Path:
    """Return the Python of an environment that holds a peer's libraries, made on first use.

    Raises
    ------
    MeasurementError
        It cannot be installed.
    """
    key = sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:12]
    directory = ENVIRONMENTS / key
    python = directory / "bin" / "python"
    if not (directory / "complete").exists():
        for step in (
            [sys.executable, "-m", "venv", "--clear", str(directory)],
            [str(UV), "pip", "install", "--quiet", "--python", str(python), *requirements],
        ):
            done = subprocess.run(step, capture_output=True, text=True, check=False)
            if done.returncode:
                raise MeasurementError(f"{' '.join(step)} failed: {done.stderr.strip()}")
        (directory / "complete").touch()
    return python
