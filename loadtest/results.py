"""Samples of a load test: what each request took and how it ended."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_WANTED = ("timeStamp", "elapsed", "responseCode", "success")
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
        A missing column, or a line that is none; no samples at all.
    """
    finished, latency, codes, users = [], [], [], []
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in _WANTED if name not in (rows.fieldnames or ())]
        if missing:
            raise ResultsError(f"{path}: no column {', '.join(missing)}; wanted is JMeter's CSV with a header")
        for row in rows:
            try:
                begin, elapsed = float(row["timeStamp"]), float(row["elapsed"])
                code = int(row["responseCode"]) if row["responseCode"].isdigit() else BROKEN
                users.append(float(row.get("allThreads") or "nan"))
            except (TypeError, ValueError, AttributeError) as error:
                raise ResultsError(f"{path}, line {rows.line_num}: {error}") from error
            finished.append((begin + elapsed) / 1000)
            latency.append(elapsed)
            codes.append(code if row["success"] == "true" or code >= 300 else BROKEN)
    if not finished:
        raise ResultsError(f"{path}: no samples: the load generator sent no request, its log says why")
    order = np.argsort(finished)
    return Samples(
        np.array(finished)[order],
        np.array(latency)[order],
        np.array(codes, dtype=np.int64)[order],
        np.array(users)[order],
    )
