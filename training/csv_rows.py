"""Rows of a channel as CSV: the label first where there is one, no header, encoded as `training.schema` says.

References
----------
Amazon SageMaker Developer Guide, "Common data formats for training": `text/csv`, and `label_size=0` without labels.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from training.raw import Rows
from training.schema import CATEGORICAL, NUMERIC, OTHER


class CsvEncoder:
    """Encodes compact rows as lines of CSV."""

    def __init__(self, *, with_label: bool) -> None:
        self._with_label = with_label
        sizes = [len((*feature.vocabulary, OTHER)) for feature in CATEGORICAL]
        ends = [""] * (len(sizes) - 1) + ["\n"]
        self._one_hots = [pa.array(_one_hots(size, end)) for size, end in zip(sizes, ends, strict=True)]

    def encode(self, rows: Rows) -> bytes:
        """Return the rows as lines."""
        numbers = [rows["numbers"][:, column] for column in range(len(NUMERIC))]
        columns = [rows["label"].astype(np.int8), *numbers] if self._with_label else numbers
        texts = [pa.array(np.ascontiguousarray(column)).cast(pa.string()) for column in columns]
        texts += [one_hots.take(pa.array(rows["codes"][:, column])) for column, one_hots in enumerate(self._one_hots)]
        lines = pc.binary_join_element_wise(*texts, ",")
        return bytes(lines.buffers()[2])[: pc.sum(pc.binary_length(lines)).as_py()]


def _one_hots(size: int, end: str) -> list[str]:
    return [",".join("1" if column == code else "0" for column in range(size)) + end for code in range(size)]
