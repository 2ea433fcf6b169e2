"""Rows of plain numbers to a matrix, by simdjson: the fast path of CSV and of JSON bodies.

simdjson parses JSON arrays straight into a buffer of doubles. It knows JSON's numbers only and rounds as ``float``
does, so what is accepted here has the value that the plain paths read; the rest is theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import simdjson

from serving.artifact import Floats

_OPENING: Final = ord("[")  # as a number: for bytes in bytes CPython raises and drops a TypeError first


class NumberRows:
    """Reads rows of `n_features` numbers with commas between them."""

    def __init__(self, n_features: int) -> None:
        self._n_features = n_features
        self._parse: Callable[[bytes], Any] = simdjson.Parser().parse

    def read_one(self, row: bytes) -> Floats | None:
        """Return the row, shape (1, n_features), or None where it is anything but that many JSON numbers."""
        if _OPENING in row:  # would open an array of its own, which simdjson flattens
            return None
        try:
            return np.frombuffer(self._parse(b"[" + row + b"]").as_buffer(of_type="d")).reshape(1, self._n_features)
        except (ValueError, TypeError, RuntimeError):  # RuntimeError: an integer of more than 64 bits
            return None

    def read_lines(self, lines: bytes) -> Floats | None:
        """Return rows with line feeds between them, shape (n_rows, n_features), or None as above."""
        return None if _OPENING in lines else self._read_many(lines.replace(b"\n", b"],["))

    def read_separated(self, rows: bytes, separator: bytes) -> Floats | None:
        """Return rows with `separator` between them, which ends in its only ``[``; or None as above."""
        *before, last = rows.split(b"[")
        text = b"],[".join([row.removesuffix(separator[:-1]) for row in before] + [last])
        if len(text) != len(rows) + len(before) * (3 - len(separator)):  # a bracket that no separator brought
            return None
        return self._read_many(text)

    def _read_many(self, rows: bytes) -> Floats | None:
        try:
            matrix = self._parse(b"[[" + rows + b"]]")
            if {len(row) for row in matrix} != {self._n_features}:
                return None
            return np.frombuffer(matrix.as_buffer(of_type="d")).reshape(-1, self._n_features)
        except (ValueError, TypeError, RuntimeError):
            return None
