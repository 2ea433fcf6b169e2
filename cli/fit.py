"""`sagescale fit`: the capacity of an instance from a load test's results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from autoscaling.capacity import InstanceCapacity
from autoscaling.capacity_text import parse_capacities
from cli.options import TextOrJsonOption
from cli.scaling_options import MOST_INSTANCES, read_file
from loadtest.fit import Estimate, Fit, FitError
from loadtest.fit import fit as fit_model
from loadtest.measurements import INTERVAL_SECONDS, read_measurements


def fit(  # noqa: PLR0917 - one parameter an option
    results: Annotated[
        Path, typer.Argument(help="JMeter's .jtl, Locust's _stats_history.csv, GetMetricData's JSON, or a saved run.")
    ],
    instance_type: Annotated[str, typer.Option(help="Type of the instances that were tested.")] = "ml.m4.xlarge",
    instances: Annotated[
        float | None, typer.Option(min=1, max=MOST_INSTANCES, help="In service, where the results do not tell.")
    ] = None,
    think_seconds: Annotated[float, typer.Option(min=0, help="Pause of a user between requests.")] = 0.0,
    workers: Annotated[int, typer.Option(min=1, help="Requests that an instance serves at the same time.")] = 1,
    interval: Annotated[
        float, typer.Option(min=1, max=3600, help="Seconds over which samples are added up.")
    ] = INTERVAL_SECONDS,
    output: Annotated[
        Path, typer.Option(help="Capacities by instance type (TOML), for simulate and plan; others in it are kept.")
    ] = Path("build/capacities.toml"),
    output_format: TextOrJsonOption = "text",
) -> None:
    """Estimate capacity and outside latency, with 95 % intervals; exit code 1 if the test does not tell them."""
    try:
        measurements = read_measurements(results, instances=instances, interval_seconds=interval)
        found = fit_model(measurements, think_seconds=think_seconds)
        _write(output, instance_type, found.capacity(workers))
    except (OSError, ValueError) as error:
        typer.echo(f"sagescale fit: {error}", err=True)
        raise typer.Exit(1 if isinstance(error, FitError) else 2) from error
    if output_format == "json":
        typer.echo(json.dumps(_as_json(found, instance_type, output), indent=2))
        return
    typer.echo(f"{instance_type}: {_words(found.max_rps, 'requests/s an instance')}")
    typer.echo(f"outside it: {_words(found.outside_seconds, 's')}")
    typer.echo(f"Written to {output}; next: sagescale plan --capacities {output} ...")


def _write(path: Path, instance_type: str, capacity: InstanceCapacity) -> None:
    """Add a capacity to those that the file has; a file with anything else in it is left alone."""
    known = read_file(path, parse_capacities) if path.exists() else {}
    known[instance_type] = capacity
    lines = ["# Measured capacities; written by `sagescale fit`."]
    for name, each in known.items():
        fields = each.model_dump(exclude_unset=True, exclude_none=True)
        lines += ["", f"[{json.dumps(name)}]", *(f"{field} = {value!r}" for field, value in fields.items())]
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
