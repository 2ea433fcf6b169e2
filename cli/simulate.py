"""`sagescale simulate`: replay a workload against the policies of an environment or of a template."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaling.article import CAPACITY
from autoscaling.simulator import simulate as run_simulation
from cli import scaling_options, simulation_report
from cli.options import EnvOption
from cli.scaling_options import Fleet, Format
from config.loading import SettingsError


def simulate(  # noqa: PLR0917 -- a command's options
    workload: Annotated[
        str, typer.Option(help="File (CSV minute,requests or CloudWatch's JSON) or name, e.g. article, spike:base=...")
    ] = "article",
    env: EnvOption = "dev",
    template: Annotated[
        Path | None, typer.Option(help="Synthesized template: simulate what will really be deployed.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="TOML with bounds and policies, e.g. of sagescale plan.")] = None,
    variant: Annotated[str | None, typer.Option(help="Which variant; by default the first.")] = None,
    max_rps: scaling_options.MaxRpsOption = 1200.0,
    unloaded_ms: scaling_options.UnloadedOption = None,
    workers: scaling_options.WorkersOption = 4,
    least_outstanding: Annotated[
        bool, typer.Option("--least-outstanding", help="Route to the least busy instance, not at random.")
    ] = False,
    capacities: Annotated[
        Path | None, typer.Option(help="Measured capacities (TOML) in place of the options above.")
    ] = None,
    slo_p95_ms: scaling_options.SloOption = 1000.0,
    peak_instances: scaling_options.PeakOption = None,
    initial_instances: Annotated[
        int | None,
        typer.Option(
            help="In service at the beginning; by default what the first minute needs.",
            min=1,
            max=scaling_options.MOST_INSTANCES,
        ),
    ] = None,
    lag_minutes: Annotated[float, typer.Option(help="How late metrics are published.")] = 1.0,
    provisioning_minutes: Annotated[str, typer.Option(help="Minutes, a range such as 5-7, or never.")] = "6",
    prices: scaling_options.PricesOption = None,
    usd_per_hour: scaling_options.UsdOption = None,
    starts_at: scaling_options.StartsOption = scaling_options.DEFAULT_START,
    picture: Annotated[Path | None, typer.Option(help="Write a picture (PNG or SVG) in the article's shape.")] = None,
    output_format: scaling_options.FormatOption = Format.TEXT,
) -> None:
    """Replay a workload against scaling policies: instances, latency, errors, activities with reasons, cost."""
    try:
        fleet = _fleet(env, template, policy, variant)
        if unloaded_ms is None and workload == "article":
            unloaded_ms = 1000 * (CAPACITY.unloaded_seconds or 0.0)
        routing = "LEAST_OUTSTANDING_REQUESTS" if least_outstanding else "RANDOM"
        capacity = scaling_options.read_capacities(capacities).get(fleet.instance_type) or scaling_options.capacity_of(
            max_rps, unloaded_ms, workers, routing=routing
        )
        price = scaling_options.find_price(fleet.instance_type, fleet.region, prices, usd_per_hour)
        result = run_simulation(
            fleet.scaling,
            scaling_options.read_workload(workload, peak_instances, capacity),
            capacity=capacity,
            slo=scaling_options.slo_of(slo_p95_ms),
            delays=scaling_options.delays_of(lag_minutes, provisioning_minutes),
            initial_instances=initial_instances,
            usd_per_hour=price.usd_per_hour,
            starts_at=scaling_options.start_of(starts_at),
        )
        if picture is not None:
            from cli import scaling_figures  # noqa: PLC0415 - slow to load, and most runs draw nothing

            scaling_figures.write(scaling_figures.of_simulation(result, title=Path(workload).name), picture)
    except (OSError, ValueError, SettingsError) as error:
        typer.echo(f"sagescale simulate: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(simulation_report.render(result, fleet, price, output_format))


def _fleet(env: str, template: Path | None, policy: Path | None, variant: str | None) -> Fleet:
    """Take the variant of a template, else of the settings; a policy of one's own replaces theirs."""
    fleet = scaling_options.fleet_of_settings(env, None if template else variant)
    if template is not None:
        deployed = scaling_options.variant_of_template(template, variant)
        instance_type = deployed.instance_type or fleet.instance_type
        fleet = Fleet(deployed.variant, instance_type, fleet.region, None, deployed.scaling)
    if policy is not None:
        fleet = fleet._replace(scaling=scaling_options.scaling_of_file(policy))
    return fleet
