"""What AWS's services beside the instances cost: a table with sources, which a file of one's own replaces.

The table is service_prices.csv beside this module, of us-east-1; most regions are up to a third dearer. Free tiers are
left out: they belong to an account, not to a deployment.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from importlib.resources import files

from autoscaling.prices import positive

COLUMNS = ["item", "usd", "unit", "as_of", "source"]
REGION = "us-east-1"
MILLION = 1_000_000


class ServicePrices:
    """Prices by item; those the table names by the million are asked for singly.

    Raises
    ------
    ValueError
        An item is missing.
    """

    def __init__(self, table: Mapping[str, tuple[float, str]]) -> None:
        missing = sorted(_shipped_items() - table.keys())
        if missing:
            raise ValueError(f"no price for {', '.join(missing)}; every item of costs/service_prices.csv is wanted")
        self._table = table

    def usd(self, item: str) -> float:
        """Return the price of one."""
        price, unit = self._table[item]
        return price / MILLION if unit.startswith("million ") else price


def parse_service_prices(text: str) -> ServicePrices:
    """Read a table with the columns item, usd, unit, as_of and source.

    Raises
    ------
    ValueError
        Every problem, with its line; or an item is missing.
    """
    table, problems = _read(text)
    if problems:
        raise ValueError("; ".join(problems))
    return ServicePrices(table)


def shipped_service_prices() -> ServicePrices:
    """Read the table that comes with the project."""
    return parse_service_prices(_shipped_text())


def _read(text: str) -> tuple[dict[str, tuple[float, str]], list[str]]:
    rows = csv.DictReader(io.StringIO(text))
    if rows.fieldnames != COLUMNS:
        return {}, [f"line 1: columns {rows.fieldnames}; wanted {','.join(COLUMNS)}"]
    table: dict[str, tuple[float, str]] = {}
    problems = []
    for row in rows:
        price = positive(row["usd"])
        if None in row.values() or None in row:
            problems.append(f"line {rows.line_num}: not {len(COLUMNS)} columns")
        elif price is None:
            problems.append(f"line {rows.line_num}: usd {row['usd']!r}; allowed: a number above 0")
        else:
            table[row["item"]] = (price, row["unit"])
    return table, problems


def _shipped_text() -> str:
    return files("costs").joinpath("service_prices.csv").read_text(encoding="utf-8")


def _shipped_items() -> set[str]:
    return set(_read(_shipped_text())[0])
