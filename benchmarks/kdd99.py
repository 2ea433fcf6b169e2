"""The KDD99 files that the training benchmarks measure on, and ten times as many rows."""

from __future__ import annotations

import gzip
import json
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.child import MeasurementError
from training.schema import FEATURES

DATA = Path("data")
TRAIN = DATA / "kddcup.data_10_percent.gz"
TEST = DATA / "corrected.gz"


def check() -> None:
    """Refuse to measure on made-up records.

    Raises
    ------
    MeasurementError
        If data/ does not hold KDD99.
    """
    source = DATA / "SOURCE.json"
    if not source.exists():
        raise MeasurementError("data/ holds no KDD99: run `make data`")
    if json.loads(source.read_text())["synthetic"]:
        raise MeasurementError("data/ holds made-up records: put KDD99 there (`make data` says how)")


def repeat(path: Path, times: int, target: Path) -> Path:
    """Write a gzip file that unpacks to `path`'s rows several times over; gzip members add up."""
    with target.open("wb") as file:
        for _ in range(times):
            with path.open("rb") as part:
                shutil.copyfileobj(part, file)
    return target


def records(count: int) -> list[dict[str, Any]]:
    """Return the first records of the test file."""
    with gzip.open(TEST, "rt", encoding="ascii") as lines:
        return [
            {
                feature.name: value if feature.vocabulary else float(value)
                for feature, value in zip(FEATURES, line.split(",")[:-1], strict=True)
            }
            for line in islice(lines, count)
        ]
