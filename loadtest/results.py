"""Samples of a load test: what each request took and how it ended."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_WANTED = ("timeStamp", "elapsed", "responseCode", "success")
_LONGEST_SECONDS = 7 * 86_400.0  # a test that lasts longer has a wrong time in it
BROKEN = 0


class ResultsError(ValueError):
    """A file that holds no results; the message says what is wrong and where."""


@dataclass(frozen=True)
class Samples:
    """One value a request.

    Parameters
    ----------
    finished : ndarray of shape (n,), seconds since the epoch
    latency_ms : ndarray of shape (n,), milliseconds
    codes : ndarray of shape (n,)
        Status codes; 0 where there was no answer.
    users : ndarray of shape (n,)
        Active when the request ended; nan where the file does not tell.
    """

    finished: Floats
    latency_ms: Floats
    codes: NDArray[np.int64]
    users: Floats

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Which requests did not end with a status of 200 to 299."""
        return (self.codes < 200) | (self.codes > 299)

    @property
    def seconds(self) -> float:
        """From the first request's start to the last one's end."""
        if not self.finished.size:
            return 0.0
        return float(self.finished.max() - (self.finished - self.latency_ms / 1000).min())


def read_jtl(path: Path) -> Samples:
    """Read JMeter's .jtl in CSV form (with a header), or the samples that the Locust scenario writes.

    Raises
    ------
    ResultsError
        A missing column, or a line that is none, with its column; no samples at all; samples weeks apart.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines, rows = _read_rows(path, csv.DictReader(file))
    except UnicodeDecodeError as error:
        raise ResultsError(f"{path}: not a text in UTF-8 (byte {error.start})") from None
    if not rows:
        raise ResultsError(f"{path}: no samples: the load generator sent no request, its log says why")
    begun, latency, codes, users = (np.array(column) for column in zip(*rows, strict=True))
    far = abs(begun - np.median(begun)) / 1000
    if far.max() > _LONGEST_SECONDS:
        at = int(far.argmax())
        raise ResultsError(
            f"{path}, line {lines[at]}, column timeStamp: {begun[at]:.0f} is {far[at] / 86_400:,.0f} days from the "
            "middle of the samples; remove what belongs to no test of a week at most"
        )
    finished = (begun + latency) / 1000
    order = np.argsort(finished)
    return Samples(finished[order], latency[order], codes.astype(np.int64)[order], users[order])


def _read_rows(path: Path, rows: csv.DictReader[str]) -> tuple[list[int], list[tuple[float, float, int, float]]]:
    """Read line numbers, and of each line begin and latency in milliseconds, status code and users."""
    lines, found = [], []
    try:
        missing = [name for name in _WANTED if name not in (rows.fieldnames or ())]
        if missing:
            raise ResultsError(
                f"{path}: no column {', '.join(missing)}; wanted is JMeter's CSV with a header, or Locust's "
                "_stats_history.csv"
            )
        for row in rows:
            found.append(_read_row(path, rows.line_num, row))
            lines.append(rows.line_num)
    except csv.Error as error:
        raise ResultsError(f"{path}, line {rows.line_num}: {error}") from None
    return lines, found


def _read_row(path: Path, line: int, row: Mapping[str, str | None]) -> tuple[float, float, int, float]:
    begin, elapsed = (number_of(path, line, row, name) for name in ("timeStamp", "elapsed"))
    users = number_of(path, line, row, "allThreads") if row.get("allThreads") else float("nan")
    answer, success = row["responseCode"], row["success"]
    if answer is None or success not in {"true", "false"}:
        name, value = ("responseCode", answer) if answer is None else ("success", success)
        raise ResultsError(f"{path}, line {line}, column {name}: {value!r}; wanted is a line of JMeter's, uncut")
    code = int(answer) if answer.isdecimal() and len(answer) == 3 else BROKEN
    return begin, elapsed, code if success == "true" or code >= 300 else BROKEN, users


def number_of(path: Path, line: int, row: Mapping[str, str | None], column: str) -> float:
    """Read a cell of a table.

    Raises
    ------
    ResultsError
        It is no finite number of 0 or more; with file, line and column.
    """
    text = row.get(column)
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not 0 <= value < float("inf"):
        raise ResultsError(f"{path}, line {line}, column {column}: {text!r}; allowed: a finite number, 0 or more")
    return value
