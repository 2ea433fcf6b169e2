"""Run benchmarks: ``python -m benchmarks NAME... [--runs N] [--format table|json]``; exit code 1 if a bar fails."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from rich.console import Console

from benchmarks.child import MeasurementError
from benchmarks.result import Result

NAMES = ("preprocess", "training")


def main() -> int:
    """Run what the command line names; all by default."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--runs", type=int, default=5, help="at least 5 for figures worth quoting")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    options = parser.parse_args()
    holds = True
    for name in options.names or NAMES:
        try:
            result: Result = import_module(f"benchmarks.{name}").measure(options.runs)
        except MeasurementError as error:
            sys.stderr.write(f"{name}: cannot measure: {error}\n")
            return 1
        result.write()
        if options.format == "json":
            sys.stdout.write(result.to_json())
        else:
            result.show(Console())
        holds &= result.holds
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
