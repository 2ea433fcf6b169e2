"""Options that simulate, plan and experiment share: workloads, policies, capacities, prices and delays."""

from __future__ import annotations

import csv
import json
import math
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import typer
from pydantic import ValidationError

from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.capacity_text import parse_capacities
from autoscaling.delays import Delays
from autoscaling.policies import VariantScaling
from autoscaling.prices import Price, parse_prices, price_of
from autoscaling.problems import problems_of
from autoscaling.template import DeployedVariant, deployed_variants
from autoscaling.workload import OpenLoop, Workload
from autoscaling.workload_text import BYTE_ORDER_MARK, parse_cloudwatch, parse_csv, parse_named
from cli.deployment import settings_of
from config.settings import Settings, Variant

PEAK_UTILISATION = 0.97  # how busy --peak-instances are in the busiest minute
MOST_INSTANCES = 1000  # the simulator counts no further what a minute needs
Parsed = TypeVar("Parsed")


class Format(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


FormatOption = Annotated[Format, typer.Option("--format", help="text for people, json for scripts, csv for sheets.")]
MaxRpsOption = Annotated[float, typer.Option(help="Requests / s that one instance serves at most, measured.")]
UnloadedOption = Annotated[
    float | None, typer.Option(help="Response time without load; by default the service time alone.")
]
WorkersOption = Annotated[int, typer.Option(help="Requests that an instance serves at the same time.")]
SloOption = Annotated[float, typer.Option(help="A request that takes longer is late.", min=0.001)]
PeakOption = Annotated[
    int | None,
    typer.Option(
        help="Scale the workload: its busiest minute loads this many instances to 97 %.", min=1, max=MOST_INSTANCES
    ),
]
PricesOption = Annotated[Path | None, typer.Option(help="Table of prices (CSV) in place of the shipped one.")]
UsdOption = Annotated[float | None, typer.Option(help="Price of an instance hour, in place of the table's.")]
StartsOption = Annotated[str, typer.Option(help="Time of the first minute, for schedules (ISO 8601; UTC by default).")]
DEFAULT_START = "2026-01-05T00:00:00"
_YEARS = range(1970, 2101)


class Fleet(NamedTuple):
    """A variant to simulate or to plan for."""

    variant: str
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
    workload = read_file(path, parse_workload) if path.is_file() else parse_named(source)
    if peak_instances is None:
        return workload
    return open_loop(workload).scaled_to(PEAK_UTILISATION * peak_instances * capacity.max_rps * 60)


def parse_workload(text: str) -> Workload:
    """Read CloudWatch's JSON, or a CSV `minute,requests`; raises ValueError."""
    return parse_cloudwatch(text) if text.lstrip(BYTE_ORDER_MARK).lstrip()[:1] in {"{", "["} else parse_csv(text)


def read_file(path: Path, parse: Callable[[str], Parsed]) -> Parsed:
    """Read a file that somebody wrote.

    Parameters
    ----------
    path
        Of a text in UTF-8.
    parse
        Makes something of it; raises ValueError where it cannot.

    Raises
    ------
    ValueError
        The file, and what is wrong with it.
    OSError
        It cannot be read.
    """
    try:
        return parse(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text in UTF-8 (byte {error.start}); save it as UTF-8") from None
    except ValidationError as error:
        raise ValueError(f"{path}: {problems_of(error)}") from None
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from None


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


def slo_of(p95_ms: float) -> Slo:
    """Make an SLO from its option; raises ValueError."""
    try:
        return Slo(p95_ms=p95_ms)
    except ValidationError as error:
        raise ValueError(f"slo: {problems_of(error)}") from None


def read_capacities(path: Path | None) -> dict[str, InstanceCapacity]:
    """Read measured capacities by instance type; none without a file."""
    return {} if path is None else read_file(path, parse_capacities)


def find_price(instance_type: str, region: str, prices: Path | None, usd_per_hour: float | None) -> Price:
    """Find a price in the given table, else in the shipped one, unless it is given itself."""
    if usd_per_hour is not None:
        if not (math.isfinite(usd_per_hour) and usd_per_hour >= 0):
            raise ValueError(f"usd-per-hour {usd_per_hour:g}; allowed: a finite number, 0 or more")
        return Price(usd_per_hour, "", "given on the command line")
    table = None if prices is None else read_file(prices, parse_prices)
    return price_of(instance_type, region, table)


def fleet_of_settings(env: str, variant_name: str | None) -> Fleet:
    """Take a variant from an environment's settings; the first one if none is named."""
    settings = settings_of(env)
    variant = _chosen(settings, variant_name)
    region = settings.project.region or "us-east-1"
    return Fleet(
        variant.name, variant.instance_type, region, variant.initial_instance_count, settings.scaling_of(variant)
    )


def _chosen(settings: Settings, name: str | None) -> Variant:
    variants = settings.endpoint.variants
    found = [variant for variant in variants if name in {None, variant.name}]
    if not found:
        raise ValueError(f"no variant {name!r}; there are {', '.join(variant.name for variant in variants)}")
    return found[0]


def variant_of_template(path: Path, name: str | None) -> DeployedVariant:
    """Take a variant from a synthesized template; the first one if none is named."""
    variants = read_file(path, lambda text: deployed_variants(json.loads(text)))
    found = [variant for variant in variants if name in {None, variant.variant}]
    if not found:
        raise ValueError(f"{path}: no variant {name!r}; there are {', '.join(each.variant for each in variants)}")
    return found[0]


def scaling_of_file(path: Path) -> VariantScaling:
    """Read bounds and policies from TOML: a file that `sagescale plan` has written, or the table alone."""
    return read_file(path, _parse_scaling)


def _parse_scaling(text: str) -> VariantScaling:
    values: Any = tomllib.loads(text)
    for key in ("endpoint", "variants", "scaling"):
        values = values.get(key, values) if isinstance(values, dict) else values
        values = values[0] if isinstance(values, list) and values else values
    return VariantScaling.model_validate(values)


def delays_of(lag_minutes: float, provisioning: str) -> Delays:
    """Make delays from options; provisioning is minutes, a range such as 5-7, or never.

    Raises
    ------
    ValueError
        What is allowed.
    """
    seconds: float | tuple[float, float] | None
    try:
        ends = [] if provisioning == "never" else [60 * float(part) for part in provisioning.split("-")]
        wrong = len(ends) > 2 or not all(map(math.isfinite, ends))
    except ValueError:
        ends, wrong = [], True
    if wrong:
        raise ValueError(f"provisioning {provisioning!r}; allowed: minutes, a range such as 5-7, or never")
    seconds = None if not ends else ends[0] if len(ends) == 1 else (ends[0], ends[1])
    try:
        return Delays(publication_lag_seconds=60 * lag_minutes, provisioning_seconds=seconds)
    except ValidationError as error:
        raise ValueError(problems_of(error)) from None


def start_of(text: str) -> datetime:
    """Read a time; UTC unless it says otherwise."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        moment = datetime.min.replace(tzinfo=UTC)
    if moment.year not in _YEARS:
        raise ValueError(f"starts-at {text!r}; allowed: ISO 8601 of {_YEARS[0]} to {_YEARS[-1]}, as {DEFAULT_START}")
    return moment
