"""Real KDD99 records as request bodies."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from config.settings import Settings
from sandbox.processes import REPOSITORY_ROOT
from training import schema

ROWS = 200


class NoRecordsError(Exception):
    """There are no records to send; the message says what to do."""


def parse_bodies(text: str) -> list[bytes]:
    """Return the rows of a file, one a line; raises ValueError where there is none."""
    rows = [line.encode() for line in text.splitlines() if line.strip()]
    if not rows:
        raise ValueError("no rows to send")
    return rows


def csv_bodies(settings: Settings, rows: int = ROWS) -> list[bytes]:
    """Return the first records of the test file as CSV rows that the model takes.

    Raises
    ------
    NoRecordsError
        The settings name no dataset, or it is not on this machine, or none of KDD99's.
    """
    if settings.dataset is None or settings.dataset.test.startswith("s3://"):
        named = "no dataset" if settings.dataset is None else settings.dataset.test
        raise NoRecordsError(
            f"the settings name {named}: no records here to send; `sagescale loadtest` takes a file with --bodies"
        )
    path = REPOSITORY_ROOT / settings.dataset.test
    if not path.exists():
        raise NoRecordsError(f"{path} is missing: `make data` finds, fetches or makes it")
    try:
        return [schema.encode_csv(record).encode() for record in islice(_records(path), rows)]
    except (OSError, EOFError, ValueError) as error:
        raise NoRecordsError(f"{path} does not hold KDD99's records: {error}") from error


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="ascii") as lines:
        for line in lines:
            *values, _ = line.strip().split(",")
            yield {
                feature.name: value if feature.vocabulary else float(value)
                for feature, value in zip(schema.FEATURES, values, strict=True)
            }
