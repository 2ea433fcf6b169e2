"""One channel of a training job: rows encoded into RecordIO-protobuf or CSV parts, counted as they are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from training import recordio
from training.csv_rows import CsvEncoder
from training.raw import CODE_COLUMNS, Rows
from training.schema import FEATURE_DIM, LABELS, NUMERIC

RECORDIO: Final = "application/x-recordio-protobuf"
CSV: Final = "text/csv"
CSV_WITHOUT_LABEL: Final = "text/csv;label_size=0"
CONTENT_TYPES: Final = (RECORDIO, CSV, CSV_WITHOUT_LABEL)
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
    content_type : str
        One of `CONTENT_TYPES`.
    """

    def __init__(self, directory: Path, content_type: str = RECORDIO) -> None:
        self._directory = directory
        self._suffix = ".pbr" if content_type == RECORDIO else ".csv"
        self._encode = _encoder(content_type)
        self._counts = [0] * len(LABELS)
        directory.mkdir(parents=True, exist_ok=True)
        for old in directory.glob(f"part-*{self._suffix}"):
            old.unlink()

    def append(self, part: int, source: str, rows: Rows) -> None:
        """Append rows to the part of this number and source file."""
        if not len(rows):
            return
        name = f"part-{part:04d}-{source.replace('/', '-').removesuffix('.gz')}{self._suffix}"
        with (self._directory / name).open("ab") as file:
            for start in range(0, len(rows), _BLOCK_ROWS):
                file.write(self._encode(rows[start : start + _BLOCK_ROWS]))
        attacks = int(rows["label"].sum())
        self._counts[0] += len(rows) - attacks
        self._counts[1] += attacks

    def summary(self) -> dict[str, int]:
        """Return the number of rows written, all and by label."""
        return {"rows": sum(self._counts), **dict(zip(LABELS, self._counts, strict=True))}


def _encoder(content_type: str) -> Callable[[Rows], bytes | memoryview]:
    if content_type == RECORDIO:
        encoder = Encoder()
        return lambda rows: encoder.encode(rows).data
    return CsvEncoder(with_label=content_type == CSV).encode
