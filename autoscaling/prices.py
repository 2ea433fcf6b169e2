"""What an instance costs: a table with dates and sources, which a file of one's own replaces.

The table is prices.csv beside this module: on-demand real-time hosting, billed by the second while an instance is in
service (that provisioning is not billed is assumed).
"""

import csv
import io
import math
from importlib.resources import files
from typing import NamedTuple

_COLUMNS = ["instance_type", "region", "usd_per_hour", "as_of", "source"]


class Price(NamedTuple):
    """Price of one instance type in one region."""

    usd_per_hour: float
    as_of: str
    """Day of the price; empty where it was not recorded."""
    source: str


PriceTable = dict[tuple[str, str], Price]


def parse_prices(text: str) -> PriceTable:
    """Read a table of prices.

    Parameters
    ----------
    text
        CSV with the columns instance_type, region, usd_per_hour, as_of and source.

    Returns
    -------
    PriceTable
        By instance type and region.

    Raises
    ------
    ValueError
        Every problem, with its line.
    """
    rows = csv.DictReader(io.StringIO(text))
    if rows.fieldnames != _COLUMNS:
        raise ValueError(f"line 1: columns {rows.fieldnames}; wanted {','.join(_COLUMNS)}")
    table: PriceTable = {}
    problems = []
    for row in rows:
        key = (row["instance_type"], row["region"])
        price = positive(row["usd_per_hour"])
        if None in row.values() or None in row:
            problems.append(f"line {rows.line_num}: not {len(_COLUMNS)} columns")
        elif price is None:
            problems.append(f"line {rows.line_num}: usd_per_hour {row['usd_per_hour']!r}; allowed: a number above 0")
        elif key in table:
            problems.append(f"line {rows.line_num}: {' in '.join(key)} twice")
        else:
            table[key] = Price(price, row["as_of"], row["source"])
    if problems:
        raise ValueError("; ".join(problems))
    return table


def positive(text: str | None) -> float | None:
    """Read a finite number above 0; None where it is none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def shipped_prices() -> PriceTable:
    """Read the table that comes with the project."""
    return parse_prices(files("autoscaling").joinpath("prices.csv").read_text(encoding="utf-8"))


def price_of(instance_type: str, region: str = "us-east-1", table: PriceTable | None = None) -> Price:
    """Look up a price.

    Parameters
    ----------
    instance_type, region
        E.g. ml.m5.large in us-east-1.
    table
        By default the shipped one.

    Returns
    -------
    Price
        With its day and source.

    Raises
    ------
    ValueError
        If the table has no such price.
    """
    table = shipped_prices() if table is None else table
    try:
        return table[instance_type, region]
    except KeyError:
        known = ", ".join(sorted(name for name, place in table if place == region)) or "none"
        raise ValueError(
            f"no price for {instance_type} in {region}; known there: {known}; give a price or a table of your own"
        ) from None
