"""The simulator: simulated days a second of one policy, and how time grows with the trace."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.child import ROOT, alternate, median, versions
from benchmarks.result import Bar, Result, Row

CHILD = ROOT / "benchmarks" / "children" / "simulator_sagescale.py"
DAYS = (10, 40)


def measure(runs: int = 5) -> Result:
    """Measure; nobody else replays Application Auto Scaling, so there is no peer."""
    cases = {f"{kind}, {days} days": (kind, days) for kind in ("target tracking", "step") for days in DAYS}
    commands: dict[str, list[str | Path]] = {
        name: [sys.executable, CHILD, kind, str(days)] for name, (kind, days) in cases.items()
    }
    found = alternate(commands, runs)
    rows, bars = [], []
    for name, (_, days) in cases.items():
        value, values = median(found[name], "seconds")
        rows.append(Row(name, days / value, "simulated days/s", runs=[days / each for each in values]))
    short, long = DAYS
    for kind in ("target tracking", "step"):
        least = {days: median(found[f"{kind}, {days} days"], "work_cpu_seconds")[0] / days for days in DAYS}
        bars += [
            Bar.at_most(f"{kind}: processor time for a day, ms", 5.0, 1000 * least[short]),
            Bar.at_most(
                f"{kind}: processor time for a day, {long} days / {short} days (1 is linear)",
                1.25,
                least[long] / least[short],
            ),
        ]
    return Result("simulator", rows, bars, versions("numpy"))
