"""The planner: policies judged a second over all delay settings, a whole plan, and how both grow with the trace."""

from __future__ import annotations

import sys

from benchmarks.child import ROOT, alternate, median, versions
from benchmarks.result import Bar, Result, Row

CHILD = ROOT / "benchmarks" / "children" / "planner_sagescale.py"
CANDIDATES = 1000
HOURS = (24, 48, 96)


def measure(runs: int = 5) -> Result:
    """Measure; nobody else plans these policies, so there is no peer."""
    found = alternate(
        {
            **{f"judge {hours} h": [sys.executable, CHILD, "judge", str(hours), str(CANDIDATES)] for hours in HOURS},
            "plan 24 h": [sys.executable, CHILD, "plan", "24", str(CANDIDATES)],
        },
        runs,
    )
    seconds = {name: median(measurements, "seconds") for name, measurements in found.items()}
    rows = [Row(name, value, "s", runs=values) for name, (value, values) in seconds.items()]
    rows += [Row(f"{name}: processor time", median(each, "cpu_seconds")[0], "s") for name, each in found.items()]
    day = seconds[f"judge {HOURS[0]} h"][0]
    rows.append(Row("policies judged at 6 delay settings", CANDIDATES / day, "1/s"))
    least, most = (median(found[f"judge {hours} h"], "work_cpu_seconds")[0] / hours for hours in (HOURS[0], HOURS[-1]))
    return Result(
        "planner",
        rows,
        [
            Bar.at_most(f"seconds to judge {CANDIDATES} candidates at 6 delay settings on 24 h", 10, day),
            Bar.at_most("processor time for an hour of trace, 96 h / 24 h (1 is linear)", 1.25, most / least),
        ],
        versions("numpy"),
    )
