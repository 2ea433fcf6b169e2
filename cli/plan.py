"""`sagescale plan`: choose a scaling policy for a workload."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaling.capacity import InstanceCapacity
from autoscaling.judging import InstanceOption
from autoscaling.planner import Plan, PlanRequest, evaluate
from autoscaling.planner import plan as make_plan
from autoscaling.policy_toml import to_toml
from cli import plan_report, scaling_options
from cli.options import EnvOption
from cli.planned_settings import write_plan
from cli.scaling_options import Fleet, Format
from config.loading import SettingsError


def plan(  # noqa: PLR0917 -- a command's options
    workload: Annotated[str, typer.Option(help="File (CSV minute,requests or CloudWatch's JSON) or name, to plan on.")],
    evaluate_on: Annotated[
        str | None, typer.Option("--evaluate", help="Second workload, to judge the choice on: e.g. the next day.")
    ] = None,
    slo_p95_ms: scaling_options.SloOption = 1000.0,
    max_error_share: Annotated[
        float, typer.Option(help="Share of the requests that may be rejected, time out or be late.", min=0, max=1)
    ] = 0.01,
    max_rps: scaling_options.MaxRpsOption = 1200.0,
    env: EnvOption = "dev",
    variant: Annotated[str | None, typer.Option(help="Which variant; by default the first.")] = None,
    peak_instances: scaling_options.PeakOption = None,
    max_instances: Annotated[
        int | None,
        typer.Option(
            help="Largest capacity; by default --peak-instances, else the variant's.",
            min=1,
            max=scaling_options.MOST_INSTANCES,
        ),
    ] = None,
    unloaded_ms: scaling_options.UnloadedOption = None,
    workers: scaling_options.WorkersOption = 4,
    capacities: Annotated[
        Path | None, typer.Option(help="Measured capacities (TOML) of instance types that may be chosen.")
    ] = None,
    candidates: Annotated[int, typer.Option(help="Policies to judge.", min=50)] = 2000,
    seed: Annotated[int, typer.Option(help="Of the search's draws.")] = 0,
    prices: scaling_options.PricesOption = None,
    usd_per_hour: scaling_options.UsdOption = None,
    starts_at: scaling_options.StartsOption = scaling_options.DEFAULT_START,
    output: Annotated[Path, typer.Option(help="Where the chosen policy is written (TOML).")] = Path("build/plan.toml"),
    write: Annotated[bool, typer.Option("--write", help="Put it into the environment's settings file, too.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Write a picture of the Pareto front (PNG or SVG).")] = None,
    output_format: scaling_options.FormatOption = Format.TEXT,
) -> None:
    """Choose the cheapest scaling policy that serves no worse than AWS's rule, over the whole range of delays."""
    try:
        fleet = scaling_options.fleet_of_settings(env, variant)
        measured = scaling_options.read_capacities(capacities)
        base = measured.pop(fleet.instance_type, None) or scaling_options.capacity_of(max_rps, unloaded_ms, workers)
        options = _options(fleet, base, measured, prices, usd_per_hour)
        request = PlanRequest(
            workload=scaling_options.open_loop(scaling_options.read_workload(workload, peak_instances, base)),
            options=options,
            maximum=max_instances or peak_instances or fleet.scaling.max_capacity,
            slo=scaling_options.slo_of(slo_p95_ms),
            max_error_share=max_error_share,
            starts_at=scaling_options.start_of(starts_at),
            budget=candidates,
            seed=seed,
        )
        made = make_plan(request)
        second = None
        if evaluate_on is not None:
            other = scaling_options.open_loop(scaling_options.read_workload(evaluate_on, peak_instances, base))
            second = evaluate(made, other, request)
        _write(made, output, workload)
        settings = write_plan(env, fleet.variant, made.chosen.policy, made.chosen.instance_type) if write else None
        if picture is not None:
            from cli import scaling_figures  # noqa: PLC0415 - slow to load, and most runs draw nothing

            scaling_figures.write(scaling_figures.of_plan(made, title=Path(workload).name), picture)
    except (OSError, ValueError, SettingsError) as error:
        typer.echo(f"sagescale plan: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(plan_report.render(made, second, request, output, output_format))
    if settings:
        typer.echo(f"{settings} has it; next: make diff ENV={env}", err=True)


def _options(
    fleet: Fleet,
    base: InstanceCapacity,
    others: dict[str, InstanceCapacity],
    prices: Path | None,
    usd_per_hour: float | None,
) -> tuple[InstanceOption, ...]:
    """Put the variant's own type first; others only where a capacity was measured."""
    price = scaling_options.find_price(fleet.instance_type, fleet.region, prices, usd_per_hour)
    found = [InstanceOption(fleet.instance_type, base, price.usd_per_hour)]
    for instance_type, capacity in others.items():
        price = scaling_options.find_price(instance_type, fleet.region, prices, None)
        found.append(InstanceOption(instance_type, capacity, price.usd_per_hour))
    return tuple(found)


def _write(made: Plan, path: Path, workload: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f"# Planned by `sagescale plan` on {Path(workload).name}, for {made.chosen.instance_type}.\n"
    path.write_text(head + to_toml(made.chosen.policy), encoding="utf-8")
