"""`sagescale cost`: what an environment will cost a month, read from the templates that would be deployed."""

from __future__ import annotations

import json
import math
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
from cli.options import EnvOption
from cli.scaling_options import Format
from cli.simulation_report import aligned, table_as_csv
from cli.synthesis import SynthesisError, synthesize
from config.loading import SettingsError
from config.settings import Settings
from costs.bill import Item, Tariff, bill, total
from costs.month import HOURS, Month, Range
from costs.service_prices import REGION, ServicePrices, parse_service_prices, shipped_service_prices
from costs.template import Template

NOBODY = "constant:per_minute=0,minutes=1440"
DEFAULT = Month()
UNKNOWN = "unknown"


def cost(  # noqa: PLR0917 -- a command's options
    env: EnvOption = "dev",
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
    typer.echo(_render(items, month, settings, output_format))


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
        services=_service_prices(services, _region(settings)),
        instance_usd_per_hour=lambda name: price_of(name, _region(settings), table).usd_per_hour,
        variant_hours=hours,
    )


def _service_prices(own: Path | None, region: str) -> ServicePrices:
    return parse_service_prices(own.read_text(encoding="utf-8"), region) if own else shipped_service_prices(region)


def _templates(env: str, settings: Settings, folder: Path | None) -> list[Template]:
    stacks = f"{settings.project.name}-{env}-"
    with tempfile.TemporaryDirectory() as scratch:
        found = sorted((folder or synthesize(env, Path(scratch))).glob(f"{stacks}*.template.json"))
        if not found:
            raise ValueError(f"no template of {stacks}* in {folder}: run `make synth ENV={env}`")
        return [Template(path.name.split(".")[0], json.loads(path.read_text(encoding="utf-8"))) for path in found]


def _render(items: list[Item], month: Month, settings: Settings, output_format: Format) -> str:
    rows = [(item.stack, item.what, *map(_or_none, item.usd)) for item in items]
    if output_format is Format.JSON:
        return json.dumps(_document(items, month, settings), indent=2)
    header = ["stack", "what", "minimum", "expected", "maximum"]
    if output_format is Format.CSV:
        return table_as_csv(header, rows)
    shown = [*items, Item("in all", "", total(items))]
    widest = max(len(item.stack) for item in shown)
    cells = [[*map(_amount, item.usd), f"{item.stack:<{widest}}  {item.what}"] for item in shown]
    lines = aligned([*header[2:], "USD a month"], cells)
    return "\n".join([*lines, "", *_notes(items, month, settings)])


def _document(items: list[Item], month: Month, settings: Settings) -> dict[str, Any]:
    def by_name(usd: Range) -> dict[str, float | None]:
        return {name: _or_none(value) for name, value in usd._asdict().items()}

    return {
        "usd_a_month": by_name(total(items)),
        "items": [{"stack": item.stack, "what": item.what, "usd": by_name(item.usd)} for item in items],
        "without_a_price": [item.what for item in items if not item.usd.is_known],
        "assumed": asdict(month),
        "region": _region(settings),
    }


def _or_none(usd: float) -> float | None:
    return None if math.isnan(usd) else usd


def _amount(usd: float) -> str:
    return UNKNOWN if math.isnan(usd) else f"{usd:,.2f}"


def _notes(items: list[Item], month: Month, settings: Settings) -> list[str]:
    notes = [
        "Minimum: nobody calls, and what may sleep sleeps. Maximum: all instances, and all the throttle lets pass.",
        f"Expected: {month.requests:,.0f} requests, {month.runs:g} runs, {month.job_minutes:g} minutes a job.",
        "What sleeps by the clock is not called while it sleeps.",
        "Left out: data transfer, free tiers, API Gateway's discount above 333 million requests.",
    ]
    if not settings.project.region:
        notes.append(f"The settings name no region: these are the prices of {REGION}.")
    if unknown := [item.what for item in items if not item.usd.is_known]:
        notes.append(
            f"{UNKNOWN}: no price is known in {_region(settings)}, and {len(unknown)} of {len(items)} lines are not in "
            "the sum: give --service-prices."
        )
    return notes
