"""`sagescale bench`: measure this project beside its peers."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Literal

import typer

from sandbox.processes import REPOSITORY_ROOT

Format = Literal["table", "json"]


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Benchmarks: serving, synth, ...; all by default.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="Alternating runs; 5 or more for figures worth quoting.")] = 5,
    output: Annotated[Format, typer.Option("--format", help="table or json, one document a benchmark.")] = "table",
) -> None:
    """Measure beside peers, write build/bench/*.json and a chart; exit code 1 where a bar does not hold."""
    command = [sys.executable, "-m", "benchmarks", *(names or []), "--runs", str(runs), "--format", output]
    raise typer.Exit(subprocess.run(command, cwd=REPOSITORY_ROOT, check=False).returncode)
