"""What AWS's services beside the instances cost: a table with regions and sources, which a file of one's own replaces.

The table is service_prices.csv beside this module. What it does not know of a region is not taken from another one:
the price is not a number, and so is whatever is computed with it. Free tiers are left out: they belong to an account,
not to a deployment.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from importlib.resources import files

from autoscaling.prices import positive

COLUMNS = ["item", "region", "usd", "unit", "as_of", "source"]
REGION = "us-east-1"
MILLION = 1_000_000


class ServicePrices:
    """Prices of one region by item; those the table names by the million are asked for singly."""

    def __init__(self, table: Mapping[str, tuple[float, str]]) -> None:
        self._table = table

    def usd(self, item: str) -> float:
        """Return the price of one; NaN where none is known."""
        if item not in self._table:
            return math.nan
        price, unit = self._table[item]
        return price / MILLION if unit.startswith("million ") else price


def parse_service_prices(text: str, region: str) -> ServicePrices:
    """Read the prices of `region` from a table with the columns item, region, usd, unit, as_of and source.

    Raises
    ------
    ValueError
        Every problem, with its line.
    """
    table, problems = _read(text)
    known = {item for item, _ in _shipped()}
    problems += [
        f"no such item {item!r}; allowed: {', '.join(sorted(known))}" for item, _ in table if item not in known
    ]
    if problems:
        raise ValueError("; ".join(problems))
    return _of(region, table)


def shipped_service_prices(region: str = REGION) -> ServicePrices:
    """Read the table that comes with the project."""
    return _of(region, _shipped())


Table = dict[tuple[str, str], tuple[float, str]]  # price and unit by item and region


def _of(region: str, table: Table) -> ServicePrices:
    return ServicePrices({item: price for (item, place), price in table.items() if place == region})


def _read(text: str) -> tuple[Table, list[str]]:
    rows = csv.DictReader(io.StringIO(text))
    if rows.fieldnames != COLUMNS:
        return {}, [f"line 1: columns {rows.fieldnames}; wanted {','.join(COLUMNS)}"]
    table: Table = {}
    problems = []
    for row in rows:
        key, price = (row["item"], row["region"]), positive(row["usd"])
        if None in row.values() or None in row:
            problems.append(f"line {rows.line_num}: not {len(COLUMNS)} columns")
        elif price is None:
            problems.append(f"line {rows.line_num}: usd {row['usd']!r}; allowed: a number above 0")
        elif key in table:
            problems.append(f"line {rows.line_num}: {' in '.join(key)} twice")
        else:
            table[key] = (price, row["unit"])
    return table, problems


def _shipped() -> Table:
    return _read(files("costs").joinpath("service_prices.csv").read_text(encoding="utf-8"))[0]
