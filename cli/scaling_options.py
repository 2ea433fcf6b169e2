"""Options that simulate, plan and experiment share: workloads, policies, capacities, prices and delays."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from pydantic import ValidationError

from autoscaling.capacity import InstanceCapacity
from autoscaling.capacity_text import parse_capacities
from autoscaling.delays import Delays
from autoscaling.policies import VariantScaling
from autoscaling.prices import Price, parse_prices, price_of
from autoscaling.template import DeployedVariant, deployed_variants
from autoscaling.workload import OpenLoop, Workload
from autoscaling.workload_text import parse_cloudwatch, parse_csv, parse_named
from cli.deployment import settings_of
from config.settings import Settings, Variant

PEAK_UTILISATION = 0.97  # how busy --peak-instances are in the busiest minute


class Format(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


FormatOption = Annotated[Format, typer.Option("--format", help="text for people, json for scripts, csv for sheets.")]
EnvOption = Annotated[str, typer.Option(help="Environment: the name of a file in config/.")]
MaxRpsOption = Annotated[float, typer.Option(help="Requests / s that one instance serves at most, measured.")]
UnloadedOption = Annotated[
    float | None, typer.Option(help="Response time without load; by default the service time alone.")
]
WorkersOption = Annotated[int, typer.Option(help="Requests that an instance serves at the same time.")]
SloOption = Annotated[float, typer.Option(help="A request that takes longer is late.", min=0.001)]
PeakOption = Annotated[
    int | None, typer.Option(help="Scale the workload: its busiest minute loads this many instances to 97 %.", min=1)
]
PricesOption = Annotated[Path | None, typer.Option(help="Table of prices (CSV) in place of the shipped one.")]
UsdOption = Annotated[float | None, typer.Option(help="Price of an instance hour, in place of the table's.")]
StartsOption = Annotated[str, typer.Option(help="Time of the first minute, for schedules (ISO 8601; UTC by default).")]
DEFAULT_START = "2026-01-05T00:00:00"


class Fleet(NamedTuple):
    """A variant to simulate or to plan for."""

    instance_type: str
    region: str
    initial_instances: int | None
    scaling: VariantScaling


def read_workload(source: str, peak_instances: int | None, capacity: InstanceCapacity) -> Workload:
    """Read a workload from a file (CSV or CloudWatch's JSON) or make a named one.

    Raises
    ------
    ValueError
        What is wrong, with file and line or name and key.
    """
    path = Path(source)
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        try:
            workload: Workload = parse_cloudwatch(text) if text.lstrip()[:1] in {"{", "["} else parse_csv(text)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    else:
        workload = parse_named(source)
    if peak_instances is None:
        return workload
    return open_loop(workload).scaled_to(PEAK_UTILISATION * peak_instances * capacity.max_rps * 60)


def open_loop(workload: Workload) -> OpenLoop:
    """Insist on request rates.

    Raises
    ------
    ValueError
        If the workload is a closed loop.
    """
    if isinstance(workload, OpenLoop):
        return workload
    raise ValueError("a closed loop has users, no request rates; give a file or a workload of requests a minute")


def capacity_of(max_rps: float, unloaded_ms: float | None, workers: int, **more: Any) -> InstanceCapacity:
    """Make a capacity from options.

    Raises
    ------
    ValueError
        Which option is not allowed.
    """
    seconds = None if unloaded_ms is None else unloaded_ms / 1000
    try:
        return InstanceCapacity(max_rps=max_rps, unloaded_seconds=seconds, workers=workers, **more)
    except ValidationError as error:
        raise ValueError(problems_of(error)) from None


def problems_of(error: ValidationError) -> str:
    """Write pydantic's problems as one line."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'value'}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_url=False)
    )


def read_capacities(path: Path | None) -> dict[str, InstanceCapacity]:
    """Read measured capacities by instance type; none without a file."""
    return {} if path is None else parse_capacities(path.read_text(encoding="utf-8"))


def find_price(instance_type: str, region: str, prices: Path | None, usd_per_hour: float | None) -> Price:
    """Find a price in the given table, else in the shipped one, unless it is given itself."""
    if usd_per_hour is not None:
        return Price(usd_per_hour, "", "given on the command line")
    table = None if prices is None else parse_prices(prices.read_text(encoding="utf-8"))
    return price_of(instance_type, region, table)


def fleet_of_settings(env: str, variant_name: str | None) -> Fleet:
    """Take a variant from an environment's settings; the first one if none is named."""
    settings = settings_of(env)
    variant = _chosen(settings, variant_name)
    region = settings.project.region or "us-east-1"
    return Fleet(variant.instance_type, region, variant.initial_instance_count, settings.scaling_of(variant))


def _chosen(settings: Settings, name: str | None) -> Variant:
    variants = settings.endpoint.variants
    found = [variant for variant in variants if name in {None, variant.name}]
    if not found:
        raise ValueError(f"no variant {name!r}; there are {', '.join(variant.name for variant in variants)}")
    return found[0]


def variant_of_template(path: Path, name: str | None) -> DeployedVariant:
    """Take a variant from a synthesized template; the first one if none is named."""
    variants = deployed_variants(json.loads(path.read_text(encoding="utf-8")))
    found = [variant for variant in variants if name in {None, variant.variant}]
    if not found:
        raise ValueError(f"{path}: no variant {name!r}; there are {', '.join(each.variant for each in variants)}")
    return found[0]


def scaling_of_file(path: Path) -> VariantScaling:
    """Read bounds and policies from TOML: a file that `sagescale plan` has written, or the table alone."""
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    for key in ("endpoint", "variants", "scaling"):
        values = values.get(key, values) if isinstance(values, dict) else values
        values = values[0] if isinstance(values, list) else values
    try:
        return VariantScaling.model_validate(values)
    except ValidationError as error:
        raise ValueError(f"{path}: {problems_of(error)}") from None


def delays_of(lag_minutes: float, provisioning: str) -> Delays:
    """Make delays from options; provisioning is minutes, a range such as 5-7, or never.

    Raises
    ------
    ValueError
        What is allowed.
    """
    seconds: float | tuple[float, float] | None
    try:
        ends = [60 * float(part) for part in provisioning.split("-")]
        seconds = None if provisioning == "never" else ends[0] if len(ends) == 1 else (ends[0], ends[1])
    except (ValueError, IndexError):
        if provisioning != "never":
            raise ValueError(
                f"provisioning {provisioning!r}; allowed: minutes, a range such as 5-7, or never"
            ) from None
        seconds = None
    try:
        return Delays(publication_lag_seconds=60 * lag_minutes, provisioning_seconds=seconds)
    except ValidationError as error:
        raise ValueError(problems_of(error)) from None


def start_of(text: str) -> datetime:
    """Read a time; UTC unless it says otherwise."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
