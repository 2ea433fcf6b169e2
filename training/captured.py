"""Reads what an endpoint's data capture has written: encoded rows as clients sent them.

References
----------
SageMaker developer guide, "Data capture": one JSON object a line, with ``captureData.endpointInput``. Inputs are those
of Linear Learner's containers: CSV, ``{"instances": [{"features": [...]}]}``, or ``{"features": [...]}`` a line.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.schema import FEATURE_DIM

Encoded = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Captured:
    """What a folder of captured requests holds.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, FEATURE_DIM)
    unreadable : int
        Requests that hold no such rows.
    """

    rows: Encoded
    unreadable: int


def read(folder: Path) -> Captured:
    """Read every file below a folder."""
    rows, unreadable = [], 0
    for content_type, body in _inputs(folder):
        try:
            rows.append(_matrix(_parsed(content_type, body)))
        except (ValueError, TypeError, KeyError):  # what the endpoint refused, or another model's rows
            unreadable += 1
    matrix = np.concatenate(rows) if rows else np.empty((0, FEATURE_DIM), np.float32)
    return Captured(matrix, unreadable)


def _inputs(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield content type and body of every captured request."""
    for path in sorted(folder.rglob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                captured = json.loads(line)["captureData"].get("endpointInput")
                if captured:
                    is_packed = captured["encoding"] == "BASE64"
                    data = (
                        base64.b64decode(captured["data"]).decode(errors="replace") if is_packed else captured["data"]
                    )
                    yield captured["observedContentType"].partition(";")[0].strip().lower(), data


def _parsed(content_type: str, body: str) -> Iterable[Any]:
    if content_type == "text/csv":
        return [line.split(",") for line in body.splitlines() if line.strip()]
    if content_type == "application/jsonlines":
        return [json.loads(line)["features"] for line in body.splitlines() if line.strip()]
    if content_type == "application/json":
        return [instance["features"] for instance in json.loads(body)["instances"]]
    raise ValueError(f"content type {content_type}")


def _matrix(rows: Iterable[Any]) -> Encoded:
    matrix = np.asarray(list(rows), dtype=np.float32)
    if matrix.ndim != 2 or matrix.shape[1] != FEATURE_DIM or not np.isfinite(matrix).all():
        raise ValueError(f"rows of shape {matrix.shape}; {FEATURE_DIM} finite columns are wanted")
    return matrix
