"""`sagescale cost`: what an environment will cost a month, read from the templates that would be deployed."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from autoscaling.prices import parse_prices, price_of
from autoscaling.simulator import simulate
from autoscaling.template import DeployedVariant
from autoscaling.workload import OpenLoop
from cli import scaling_options
from cli.deployment import settings_of
from cli.scaling_options import Format
from cli.simulation_report import aligned, table_as_csv
from cli.synthesis import SynthesisError, synthesize
from config.loading import SettingsError
from config.settings import Settings
from costs.bill import Item, Tariff, bill, total
from costs.month import HOURS, Month
from costs.service_prices import REGION, parse_service_prices, shipped_service_prices
from costs.template import Template

NOBODY = "constant:per_minute=0,minutes=1440"
DEFAULT = Month()


def cost(  # noqa: PLR0917 -- a command's options
    env: scaling_options.EnvOption = "dev",
    workload: Annotated[
        str, typer.Option(help="Requests a minute: a file or a name as for `simulate`; repeated for a month.")
    ] = NOBODY,
    templates: Annotated[
        Path | None, typer.Option(help="Folder of synthesized templates; by default they are synthesized.")
    ] = None,
    max_rps: scaling_options.MaxRpsOption = 1200.0,
    predictions_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the requests that go to /predictions.")
    ] = DEFAULT.predictions_share,
    runs: Annotated[float, typer.Option(min=0, help="Training runs a month, beside scheduled ones.")] = DEFAULT.runs,
    job_minutes: Annotated[float, typer.Option(min=1, help="What a job of a run takes.")] = DEFAULT.job_minutes,
    stored_gb: Annotated[float, typer.Option(min=0, help="In each bucket.")] = DEFAULT.stored_gb,
    prices: scaling_options.PricesOption = None,
    service_prices: Annotated[
        Path | None, typer.Option(help="Table in place of costs/service_prices.csv (same columns).")
    ] = None,
    output_format: scaling_options.FormatOption = Format.TEXT,
) -> None:
    """Say what an environment costs a month: when nobody calls, as expected, and at most."""
    try:
        settings = settings_of(env)
        load_minutes = scaling_options.open_loop(scaling_options.read_workload(workload, None, _capacity(max_rps)))
        month = Month(
            requests=_a_month(load_minutes),
            predictions_share=predictions_share,
            runs=runs,
            job_minutes=job_minutes,
            stored_gb=stored_gb,
        )
        tariff = _tariff(settings, month, load_minutes, max_rps, prices, service_prices)
        items = bill(_templates(env, settings, templates), tariff)
    except (OSError, ValueError, SettingsError, SynthesisError) as error:
        typer.echo(f"sagescale cost: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(_render(items, month, _region(settings), output_format))


def _capacity(max_rps: float) -> Any:
    return scaling_options.capacity_of(max_rps, None, workers=4)


def _a_month(workload: OpenLoop) -> float:
    """Return the requests of a month, as which the workload is repeated."""
    return float(workload.requests.sum()) / workload.minutes * HOURS * 60


def _region(settings: Settings) -> str:
    return settings.project.region or REGION


def _tariff(  # noqa: PLR0917 -- a command's options
    settings: Settings, month: Month, workload: OpenLoop, max_rps: float, prices: Path | None, services: Path | None
) -> Tariff:
    table = None if prices is None else parse_prices(prices.read_text(encoding="utf-8"))
    weights = {each.name: each.initial_weight for each in settings.endpoint.variants}
    shadows = {each.name for each in settings.endpoint.variants if each.shadow}
    production = sum(weight for name, weight in weights.items() if name not in shadows)

    def hours(variant: DeployedVariant) -> float:
        """Simulate the variant's policies on its part of the workload."""
        share = weights[variant.variant] / production
        found = simulate(variant.scaling, OpenLoop(workload.requests * share), capacity=_capacity(max_rps))
        return float(found.summary()["instance_hours"]) / workload.minutes * HOURS * 60

    return Tariff(
        month=month,
        services=parse_service_prices(services.read_text(encoding="utf-8")) if services else shipped_service_prices(),
        instance_usd_per_hour=lambda name: price_of(name, _region(settings), table).usd_per_hour,
        variant_hours=hours,
    )


def _templates(env: str, settings: Settings, folder: Path | None) -> list[Template]:
    stacks = f"{settings.project.name}-{env}-"
    with tempfile.TemporaryDirectory() as scratch:
        found = sorted((folder or synthesize(env, Path(scratch))).glob(f"{stacks}*.template.json"))
        if not found:
            raise ValueError(f"no template of {stacks}* in {folder}: run `make synth ENV={env}`")
        return [Template(path.name.split(".")[0], json.loads(path.read_text(encoding="utf-8"))) for path in found]


def _render(items: list[Item], month: Month, region: str, output_format: Format) -> str:
    rows = [(item.stack, item.what, *item.usd) for item in items]
    if output_format is Format.JSON:
        document = {
            "usd_a_month": total(items)._asdict(),
            "items": [{"stack": item.stack, "what": item.what, "usd": item.usd._asdict()} for item in items],
            "assumed": asdict(month),
            "region": region,
        }
        return json.dumps(document, indent=2)
    header = ["stack", "what", "minimum", "expected", "maximum"]
    if output_format is Format.CSV:
        return table_as_csv(header, rows)
    shown = [*rows, ("in all", "", *total(items))]
    cells = [[*(f"{usd:,.2f}" for usd in money), f"{stack}  {what}"] for stack, what, *money in shown]
    lines = aligned([*header[2:], "USD a month"], cells)
    return "\n".join([*lines, "", *_notes(month, region)])


def _notes(month: Month, region: str) -> list[str]:
    notes = [
        "Minimum: nobody calls. Maximum: every instance all month, every request the throttle lets pass.",
        f"Expected: {month.requests:,.0f} requests, {month.runs:g} runs, {month.job_minutes:g} minutes a job.",
        "Left out: data transfer, free tiers, API Gateway's discount above 333 million requests.",
    ]
    if region != REGION:
        notes.append(f"Services are priced as in {REGION}, instances as in {region}: give --service-prices.")
    return notes
