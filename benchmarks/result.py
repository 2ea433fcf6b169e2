"""What a benchmark finds: rows to read, bars to hold."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

DIRECTORY = Path("build/bench")


@dataclass(frozen=True)
class Row:
    """One figure.

    Parameters
    ----------
    name, unit : str
    value : float
        Median of the runs.
    peer : str
        Whom the ratio compares with; empty without one.
    ratio : float
        How many times better than the peer; 1 without one.
    runs : list of float
        Every single figure.
    """

    name: str
    value: float
    unit: str
    peer: str = ""
    ratio: float = 1.0
    runs: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Bar:
    """A promise: `measured` is at least, or at most, `wanted`."""

    name: str
    wanted: float
    measured: float
    holds: bool

    @classmethod
    def at_least(cls, name: str, wanted: float, measured: float) -> Bar:
        """Return a bar that a larger figure holds."""
        return cls(f"{name} >= {wanted:g}", wanted, measured, measured >= wanted)

    @classmethod
    def at_most(cls, name: str, wanted: float, measured: float) -> Bar:
        """Return a bar that a smaller figure holds."""
        return cls(f"{name} <= {wanted:g}", wanted, measured, measured <= wanted)


@dataclass(frozen=True)
class Result:
    """All rows and bars of one benchmark.

    Parameters
    ----------
    name : str
    rows : list of Row
    bars : list of Bar
    versions : list of str
        What was measured with, and beside: ``nginx 1.22.1``.
    """

    name: str
    rows: list[Row]
    bars: list[Bar]
    versions: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Tell whether every bar holds."""
        return all(bar.holds for bar in self.bars)

    def to_json(self) -> str:
        """Return the result with machine and day of the measurement."""
        return json.dumps({**asdict(self), "machine": _machine()}, indent=2) + "\n"

    def write(self, directory: Path = DIRECTORY) -> Path:
        """Write ``<directory>/<name>.json`` and return its path."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{self.name}.json"
        path.write_text(self.to_json())
        return path

    def show(self, console: Console) -> None:
        """Print one table of rows and one of bars."""
        rows = Table("what", "median", "unit", "runs", "times better than", title=self.name)
        for row in self.rows:
            spread = f"{min(row.runs):.4g} to {max(row.runs):.4g}" if row.runs else ""
            rows.add_row(
                row.name, f"{row.value:.4g}", row.unit, spread, f"{row.ratio:.2f} {row.peer}" if row.peer else ""
            )
        bars = Table("bar", "measured", "")
        for bar in self.bars:
            bars.add_row(bar.name, f"{bar.measured:.4g}", "[green]holds" if bar.holds else "[red]FAILS")
        console.print(rows, bars)


def _machine() -> dict[str, Any]:
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "date": datetime.now(tz=UTC).date().isoformat(),
    }
