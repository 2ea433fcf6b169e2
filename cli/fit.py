"""`sagescale fit`: the capacity of an instance from a load test's results."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from loadtest.fit import Estimate, Fit, FitError
from loadtest.fit import fit as fit_model
from loadtest.measurements import INTERVAL_SECONDS, read_measurements
from loadtest.results import ResultsError


def fit(  # noqa: PLR0917 - one parameter an option
    results: Annotated[
        Path, typer.Argument(help="JMeter's .jtl, Locust's _stats_history.csv, GetMetricData's JSON, or a saved run.")
    ],
    instance_type: Annotated[str, typer.Option(help="Type of the instances that were tested.")] = "ml.m4.xlarge",
    instances: Annotated[float | None, typer.Option(help="In service, where the results do not tell.")] = None,
    think_seconds: Annotated[float, typer.Option(min=0, help="Pause of a user between requests.")] = 0.0,
    workers: Annotated[int, typer.Option(min=1, help="Requests that an instance serves at the same time.")] = 1,
    interval: Annotated[float, typer.Option(min=1, help="Seconds over which samples are added up.")] = INTERVAL_SECONDS,
    output: Annotated[
        Path, typer.Option(help="Capacities by instance type (TOML), for simulate and plan; others in it are kept.")
    ] = Path("build/capacities.toml"),
    output_format: Annotated[
        Literal["text", "json"], typer.Option("--format", help="How the fit is printed.")
    ] = "text",
) -> None:
    """Estimate capacity and outside latency, with 95 % intervals, and write what simulate and plan read."""
    try:
        measurements = read_measurements(results, instances=instances, interval_seconds=interval)
        found = fit_model(measurements, think_seconds=think_seconds)
        capacity = found.capacity(workers)
        fields = capacity.model_dump(include={"max_rps", "unloaded_seconds", "workers"}, exclude_none=True)
        _write(output, instance_type, fields)
    except (FitError, ResultsError, OSError, ValueError) as error:
        typer.echo(f"sagescale fit: {error}", err=True)
        raise typer.Exit(1) from error
    if output_format == "json":
        typer.echo(json.dumps(_as_json(found, instance_type, output), indent=2))
        return
    typer.echo(f"{instance_type}: {_words(found.max_rps, 'requests/s an instance')}")
    typer.echo(f"outside it: {_words(found.outside_seconds, 's')}")
    typer.echo(f"Written to {output}; next: sagescale plan --capacities {output} ...")


def _write(path: Path, instance_type: str, fields: dict[str, Any]) -> None:
    known = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known[instance_type] = fields
    lines = ["# Measured capacities; written by `sagescale fit`."]
    for name, values in known.items():
        lines += ["", f'["{name}"]', *(f"{field} = {value!r}" for field, value in values.items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _words(estimate: Estimate | None, unit: str) -> str:
    if estimate is None:
        return "not told by this test: every interval waited for the instance"
    return f"{estimate.value:.4g} {unit} (95 %: {estimate.low:.4g} to {estimate.high:.4g})"


def _as_json(found: Fit, instance_type: str, output: Path) -> dict[str, Any]:
    def numbers(estimate: Estimate | None) -> dict[str, float] | None:
        return None if estimate is None else {"value": estimate.value, "low": estimate.low, "high": estimate.high}

    return {
        "instance_type": instance_type,
        "max_rps": numbers(found.max_rps),
        "outside_seconds": numbers(found.outside_seconds),
        "output": str(output),
    }
