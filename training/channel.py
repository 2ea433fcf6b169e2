"""One channel of Linear Learner: rows encoded into RecordIO-protobuf parts, counted as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from training import recordio
from training.raw import CODE_COLUMNS, Rows
from training.schema import FEATURE_DIM, LABELS, NUMERIC

SUFFIX: Final = ".pbr"
_BLOCK_ROWS: Final = 4096  # 2 MiB of records: written from the processor's cache


class Encoder:
    """Encodes compact rows as framed records, into the same memory again and again."""

    def __init__(self) -> None:
        self._records = recordio.blank(_BLOCK_ROWS, FEATURE_DIM)
        self._every = np.arange(_BLOCK_ROWS)

    def encode(self, rows: Rows) -> Rows:
        """Return at most 4,096 rows as records, encoded as ``schema.encode`` does; valid until the next call."""
        records = self._records[: len(rows)]
        values = records["values"]
        values[:, : len(NUMERIC)] = rows["numbers"]
        values[:, len(NUMERIC) :] = 0.0
        for column, first in enumerate(CODE_COLUMNS):
            values[self._every[: len(rows)], first + rows["codes"][:, column]] = 1.0
        records["label"] = rows["label"]
        return records


class Channel:
    """Writes the parts of one channel.

    Parameters
    ----------
    directory : Path
        Made if it is missing; parts of an earlier run are removed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._encoder = Encoder()
        self._counts = [0] * len(LABELS)
        directory.mkdir(parents=True, exist_ok=True)
        for old in directory.glob(f"part-*{SUFFIX}"):
            old.unlink()

    def append(self, part: int, source: str, rows: Rows) -> None:
        """Append rows to the part of this number and source file."""
        if not len(rows):
            return
        name = f"part-{part:04d}-{source.replace('/', '-').removesuffix('.gz')}{SUFFIX}"
        with (self._directory / name).open("ab") as file:
            for start in range(0, len(rows), _BLOCK_ROWS):
                file.write(self._encoder.encode(rows[start : start + _BLOCK_ROWS]).data)
        attacks = int(rows["label"].sum())
        self._counts[0] += len(rows) - attacks
        self._counts[1] += attacks

    def summary(self) -> dict[str, int]:
        """Return the number of rows written, all and by label."""
        return {"rows": sum(self._counts), **dict(zip(LABELS, self._counts, strict=True))}
