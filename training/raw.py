"""Raw KDD99 files (comma-separated, no header, gzip or plain), read a few megabytes at a time into compact rows.

A row keeps its 38 numbers, three symbol codes and the label: 160 bytes against 544 encoded, so that it can be shuffled
cheaply. A chunk that pyarrow refuses is gone through field by field to say which row and field is broken and why.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from gzip import GzipFile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from training.job import JobError
from training.schema import (
    CATEGORICAL,
    FEATURES,
    FLOAT32_MAX,
    NUMBER_RULE,
    NUMERIC,
    OTHER,
    label_of,
    shorten,
)

Rows = np.ndarray[Any, Any]

CHUNK_BYTES: Final = 1 << 20
MAX_LINE_BYTES: Final = 1 << 16  # a KDD99 row has about 150
MAX_PROBLEMS: Final = 5
ROW: Final = np.dtype(
    [("numbers", "<f4", (len(NUMERIC),)), ("codes", "u1", (len(CATEGORICAL),)), ("label", "u1"), ("position", "<u4")]
)

_LABEL = "label"
_COLUMNS = [feature.name for feature in FEATURES] + [_LABEL]
_SYMBOLS = pa.dictionary(pa.int32(), pa.string())
_TYPES = {name: pa.float64() for name in _COLUMNS} | dict.fromkeys(
    (*(feature.name for feature in CATEGORICAL), _LABEL), _SYMBOLS
)
_CONVERT = csv.ConvertOptions(column_types=_TYPES, null_values=[], strings_can_be_null=False)
_PARSE = csv.ParseOptions(quote_char=False)
_CODES = [{symbol: code for code, symbol in enumerate((*feature.vocabulary, OTHER))} for feature in CATEGORICAL]
CODE_COLUMNS: Final = [
    len(NUMERIC) + sum(len(codes) for codes in _CODES[:position]) for position in range(len(CATEGORICAL))
]
_NUMBER_FORM = re.compile(r"\s*-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True)
class Chunk:
    """Whole lines of one file.

    Parameters
    ----------
    source : str
        The file's name, for messages.
    first_line : int
        Number of the first line, counted from 1.
    lines : bytes
    """

    source: str
    first_line: int
    lines: bytes


def read_chunks(path: Path, source: str, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """Yield the lines of a file, unpacked where it is gzip.

    Raises
    ------
    JobError
        If the file is empty, a broken gzip, or has a line that cannot be a record.
    """
    first_line, rest, empty = 1, b"", True
    for block in _read_blocks(path, source, chunk_bytes):
        end = block.rfind(b"\n") + 1
        lines, rest = (rest + block[:end], block[end:]) if end else (b"", rest + block)
        if len(rest) > MAX_LINE_BYTES:
            line = first_line + lines.count(b"\n")
            raise JobError(f"{source}, row {line}: longer than {MAX_LINE_BYTES} bytes; is this a KDD99 file?")
        if lines and not lines.isspace():
            empty = False
            yield Chunk(source, first_line, lines)
        first_line += lines.count(b"\n")
    if rest and not rest.isspace():
        yield Chunk(source, first_line, rest)
    elif empty:
        raise JobError(f"{source}: the file is empty; a file of KDD99 rows is needed")


def _read_blocks(path: Path, source: str, size: int) -> Iterator[bytes]:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file = GzipFile(fileobj=raw) if packed else raw
        try:
            while block := file.read(size):
                yield block
        except (EOFError, OSError, zlib.error) as error:
            raise JobError(f"{source}: not a complete gzip file ({error}); upload it again") from error


def parse(chunk: Chunk) -> Rows:
    """Return the rows of a chunk; their position is their line number.

    Raises
    ------
    JobError
        Names file, row, field, what came and what is allowed, for up to five problems of the chunk.
    """
    options = csv.ReadOptions(column_names=_COLUMNS, use_threads=False, block_size=len(chunk.lines) + 1)
    try:
        table = csv.read_csv(pa.py_buffer(chunk.lines), options, _PARSE, _CONVERT)
    except pa.ArrowInvalid as error:
        raise _explain(chunk, str(error)) from None
    rows = np.empty(table.num_rows, ROW)
    rows["position"] = np.arange(chunk.first_line, chunk.first_line + len(rows))
    numbers = rows["numbers"]
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused below
        for column, feature in enumerate(NUMERIC):
            numbers[:, column] = _values_of(table[feature.name].chunk(0), np.float64)
    if not np.isfinite(numbers).all():
        raise _explain(chunk, "a number is not finite")
    for column, (feature, known) in enumerate(zip(CATEGORICAL, _CODES, strict=True)):
        symbols = table[feature.name].chunk(0)
        codes = [known.get(symbol, known[OTHER]) for symbol in symbols.dictionary.to_pylist()]
        rows["codes"][:, column] = np.array(codes, np.uint8)[_values_of(symbols.indices, np.int32)]
    labels = table[_LABEL].chunk(0)
    try:
        classes = [label_of(text) for text in labels.dictionary.to_pylist()]
    except ValueError as error:
        raise _explain(chunk, str(error)) from None
    rows["label"] = np.array(classes, np.uint8)[_values_of(labels.indices, np.int32)]
    return rows


def _values_of(array: pa.Array, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Return a view of an array without nulls; ``to_numpy`` would import pandas, which costs a second or two."""
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * np.dtype(dtype).itemsize)


def _explain(chunk: Chunk, reason: str) -> JobError:
    problems = []
    for number, line in enumerate(chunk.lines.splitlines(), chunk.first_line):
        problems += [f"{chunk.source}, row {number}{problem}" for problem in _problems(line)]
        if len(problems) >= MAX_PROBLEMS:
            break
    if not problems:
        last = chunk.first_line + chunk.lines.count(b"\n")
        problems = [f"{chunk.source}, rows {chunk.first_line} to {last}: {reason}"]
    return JobError("\n".join(problems[:MAX_PROBLEMS]))


def _problems(line: bytes) -> list[str]:
    if not line.strip():
        return []
    try:
        fields = line.decode().split(",")
    except UnicodeDecodeError:
        return [f": came {shorten(line)}; allowed is UTF-8 text"]
    if len(fields) != len(_COLUMNS):
        return [f": came {len(fields)} fields; allowed are {len(_COLUMNS)}: the {len(FEATURES)} features and the label"]
    problems = [
        f", field {feature.name}: came {shorten(field)}; allowed is {NUMBER_RULE}"
        for feature, field in zip(FEATURES, fields, strict=False)
        if not feature.vocabulary and not (_NUMBER_FORM.fullmatch(field) and abs(float(field)) <= FLOAT32_MAX)
    ]
    try:
        label_of(fields[-1])
    except ValueError as error:
        problems.append(f", field {_LABEL}: {error}")
    return problems
