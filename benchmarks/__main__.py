"""Run benchmarks: ``python -m benchmarks NAME... [--runs N] [--format table|json]``; exit code 1 if a bar fails.

Each leaves its result in build/bench, and the chart is of all that are there: they may be run one by one. ``python -m
benchmarks --write-docs`` measures nothing; it puts the results of all benchmarks into docs/performance.md.
"""

from __future__ import annotations

import argparse
import signal
import sys
from importlib import import_module

from rich.console import Console

from benchmarks.child import MeasurementError
from benchmarks.report import draw, read, write_docs
from benchmarks.result import Result

NAMES = ("serving", "dataplane", "preprocess", "training", "synth", "deploy", "predict", "simulator", "planner")


def main() -> int:
    """Run what the command line names; all by default."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--runs", type=int, default=5, help="at least 5 for figures worth quoting")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--write-docs", action="store_true", help="write docs/performance.md from the last results")
    options = parser.parse_args()
    if options.write_docs:
        return _write_docs()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers under load end with us
    ends = [_run(name, options.runs, as_json=options.format == "json") for name in options.names or NAMES]
    draw(read(NAMES))
    return 0 if all(ends) else 1


def _write_docs() -> int:
    try:
        write_docs(NAMES)
    except MeasurementError as error:
        sys.stderr.write(f"docs/performance.md stays as it is: {error}\n")
        return 1
    return 0


def _run(name: str, runs: int, *, as_json: bool) -> bool:
    """Measure, write and show one benchmark; return whether its bars hold. The others are measured all the same."""
    try:
        result: Result = import_module(f"benchmarks.{name}").measure(runs)
    except MeasurementError as error:
        sys.stderr.write(f"{name}: cannot measure: {error}\n")
        return False
    result.write()
    if as_json:
        sys.stdout.write(result.to_json())
    else:
        result.show(Console())
    return result.holds


if __name__ == "__main__":
    sys.exit(main())
