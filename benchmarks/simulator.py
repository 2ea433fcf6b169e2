"""The simulator: simulated days a second of one policy, and how time grows with the trace."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.child import ROOT, alternate, median, versions
from benchmarks.result import Bar, Result, Row

CHILD = ROOT / "benchmarks" / "children" / "simulator_sagescale.py"
DAYS = (1, 10, 40)


def measure(runs: int = 5) -> Result:
    """Measure; nobody else replays Application Auto Scaling, so there is no peer."""
    cases = {
        f"{kind}, {days} day{'s' * (days > 1)}": (kind, days) for kind in ("target tracking", "step") for days in DAYS
    }
    commands: dict[str, list[str | Path]] = {
        name: [sys.executable, CHILD, kind, str(days)] for name, (kind, days) in cases.items()
    }
    found = alternate(commands, runs)
    rows, bars = [], []
    for name, (_, days) in cases.items():
        value, values = median(found[name], "seconds")
        rows.append(Row(name, days / value, "simulated days/s", runs=[days / each for each in values]))
    for kind in ("target tracking", "step"):
        day = {
            days: median(found[name], "work_cpu_seconds")[0] / days for name, (of, days) in cases.items() if of == kind
        }
        bars += [
            Bar.at_most(f"{kind}: processor time for a day, ms", 5.0, 1000 * day[1]),
            Bar.at_most(f"{kind}: processor time for a day, 40 days / 10 days (1 is linear)", 1.25, day[40] / day[10]),
        ]
    return Result("simulator", rows, bars, versions("numpy"))
