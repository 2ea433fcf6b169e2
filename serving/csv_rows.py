"""text/csv bodies to a matrix: one row a line, no header, no label.

There are two paths to the same matrix. The plain path defines what is accepted: lines end in LF or CRLF, line ends
after the last row do not matter, every field is a decimal number as Python's ``float`` reads it (spaces around it
allowed), finite, without underscores. The fast path (`NumberRows`) takes numbers as JSON writes them; JSON's grammar
is a subset of ``float``'s and both round correctly, so what it accepts has the same value on both paths. What it does
not accept goes the plain path, which then says what is wrong.
"""

from __future__ import annotations

import math
from array import array

import numpy as np

from serving.artifact import Floats
from serving.errors import InvalidRowsError, RequestError
from serving.number_rows import NumberRows

_SHOWN_CHARACTERS = 40
_LINE_FEED = ord("\n")


class CsvRows:
    """Reads text/csv bodies of rows with `n_features` columns."""

    def __init__(self, n_features: int) -> None:
        self._n_features = n_features
        self._numbers = NumberRows(n_features)

    def read(self, body: bytes) -> Floats:
        """Return the rows of `body`, shape (n_rows, n_features).

        Raises
        ------
        InvalidRowsError
            Rows of another width or with fields that are not finite numbers.
        RequestError
            No rows at all.
        """
        rows = self.read_fast(body)
        return self.read_plain(body) if rows is None else rows

    def read_fast(self, body: bytes) -> Floats | None:
        """Return the rows, or None where only the plain path can tell."""
        text = body.rstrip(b"\r\n")
        return self._numbers.read_lines(text) if _LINE_FEED in text else self._numbers.read_one(text)

    def read_plain(self, body: bytes) -> Floats:
        """Return the rows, or raise what `read` raises."""
        text = body.rstrip(b"\r\n")
        if not text:
            raise RequestError(
                400, f"the body holds no rows: lines of {self._n_features} comma-separated numbers are wanted"
            )
        values, problems = array("d"), []
        for number, line in enumerate(text.split(b"\n"), start=1):
            try:
                values.extend(self._read_line(line))
            except ValueError as error:
                problems.append((number, str(error)))
        if problems:
            raise InvalidRowsError(problems)
        return np.frombuffer(values).reshape(-1, self._n_features)

    def _read_line(self, line: bytes) -> list[float]:
        fields = line.split(b",")
        if len(fields) != self._n_features:
            found = len(fields) if line.strip() else 0
            raise ValueError(f"{found} values, the model takes {self._n_features}")
        return [_read_field(field, column) for column, field in enumerate(fields, start=1)]


def _read_field(field: bytes, column: int) -> float:
    try:
        value = math.nan if b"_" in field else float(field)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        shown = field[:_SHOWN_CHARACTERS].decode(errors="replace")
        raise ValueError(f"column {column} is {shown!r}, a finite number is wanted")
    return value
