"""RecordIO-protobuf with dense Float32 tensors: what SageMaker's built-in algorithms read fastest.

Every record of a dense file has the same size, so a file is one NumPy array: rows are written and read without a loop.
Files of other writers (other field order, packing or padding) are read record by record. Sparse tensors and tensors
that are not Float32 are refused: the built-in Linear Learner takes Float32 alone.

References
----------
RecordIO framing (magic, length, data, padding to four bytes): Apache MXNet, dmlc-core ``recordio.h``.
Record: ``aialgs.data.Record`` {features = 1, label = 2: map<string, Value>}, Value {float32_tensor = 2},
Float32Tensor {values = 1 packed, keys = 2, shape = 3}; the key is "values". Amazon SageMaker Developer Guide,
"Common data formats for training" (cdf-training).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

MAGIC: Final = 0xCED7230A
_LENGTH_BITS: Final = 0x1FFFFFFF  # the upper three bits mark parts of a split record
_VALUES = b"values"


class RecordIOError(ValueError):
    """A file that is not RecordIO-protobuf with dense Float32 tensors; the message names file and record."""


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def _field(tag: int, content: bytes) -> bytes:
    return _varint(tag << 3 | 2) + _varint(len(content)) + content


def _tensor_entry(tag: int, values: bytes) -> bytes:
    return _field(tag, _field(1, _VALUES) + _field(2, _field(2, _field(1, values))))


@lru_cache
def layout(feature_dim: int) -> tuple[np.dtype[np.void], np.ndarray[Any, Any]]:
    """Return the layout of one record of ``feature_dim`` values and a record with all values zero.

    Returns
    -------
    dtype
        Fields head, values (float32, feature_dim), middle, label (float32), tail: together one framed record.
    ndarray of shape ()
        The record to copy; only values and label differ between records.
    """
    features = _tensor_entry(1, bytes(4 * feature_dim))
    label = _tensor_entry(2, bytes(4))
    size = len(features) + len(label)
    head = struct.pack("<II", MAGIC, size) + features[: -4 * feature_dim]
    middle = label[:-4]
    tail = bytes(-size % 4)
    dtype = np.dtype(
        [
            ("head", f"V{len(head)}"),
            ("values", "<f4", (feature_dim,)),
            ("middle", f"V{len(middle)}"),
            ("label", "<f4"),
            ("tail", f"V{len(tail)}"),
        ]
    )
    record = np.frombuffer(head + features[-4 * feature_dim :] + middle + label[-4:] + tail, dtype)[0]
    return dtype, record


def blank(rows: int, feature_dim: int) -> np.ndarray[Any, Any]:
    """Return ``rows`` framed records with all values zero, to be filled through fields values and label."""
    dtype, record = layout(feature_dim)
    words = dtype.itemsize // 4  # framing pads to four bytes, and copying words is faster than copying structures
    records = np.empty((rows, words), np.uint32)
    records[:] = np.frombuffer(record.tobytes(), np.uint32)
    return records.view(dtype).reshape(rows)


def encode(features: Floats, labels: Floats) -> bytes:
    """Return the bytes of a file with these rows.

    Parameters
    ----------
    features : ndarray of shape (n_rows, feature_dim)
    labels : ndarray of shape (n_rows,)
    """
    records = blank(len(features), features.shape[1])
    records["values"] = features
    records["label"] = labels
    return records.tobytes()


def read_blocks(path: Path, rows: int = 16_384) -> Iterator[tuple[Floats, Floats]]:
    """Yield features and labels of at most ``rows`` records at a time.

    Raises
    ------
    RecordIOError
        If the file holds something else than dense Float32 records of one width.
    """
    with path.open("rb") as file:
        frame = file.read(8)
        first = frame + file.read(int.from_bytes(frame[4:], "little") & _LENGTH_BITS)
    if not first:
        return
    dtype, record = layout(len(_parse(_payload(first, 0, path, 1)[0], path, 1)[0]))
    if path.stat().st_size % dtype.itemsize == 0:
        yield from _read_uniform(path, rows, dtype, record)
    else:
        yield from _read_any(path, path.read_bytes(), 0, 1)


def _read_uniform(
    path: Path, rows: int, dtype: np.dtype[np.void], record: np.ndarray[Any, Any]
) -> Iterator[tuple[Floats, Floats]]:
    offset, number = 0, 1
    while (records := np.fromfile(path, dtype, rows, offset=offset)).size:
        if any((records[part] != record[part]).any() for part in ("head", "middle", "tail")):
            yield from _read_any(path, path.read_bytes(), offset, number)
            return
        yield records["values"], records["label"]
        offset += records.nbytes
        number += len(records)


def _read_any(path: Path, content: bytes, offset: int, number: int) -> Iterator[tuple[Floats, Floats]]:
    rows: list[Floats] = []
    labels: list[float] = []
    while offset < len(content):
        payload, offset = _payload(content, offset, path, number)
        values, label = _parse(payload, path, number)
        if rows and len(values) != len(rows[0]):
            message = f"{path.name}, record {number}: came {len(values)} values; record 1 has {len(rows[0])}"
            raise RecordIOError(message)
        rows.append(values)
        labels.append(label)
        number += 1
    yield np.stack(rows), np.array(labels, np.float32)


def _payload(content: bytes, offset: int, path: Path, number: int) -> tuple[memoryview, int]:
    if len(content) - offset < 8 or struct.unpack_from("<I", content, offset)[0] != MAGIC:
        raise RecordIOError(f"{path.name}, record {number}: no RecordIO magic number at byte {offset}")
    length = struct.unpack_from("<I", content, offset + 4)[0] & _LENGTH_BITS
    end = offset + 8 + length
    if end > len(content):
        raise RecordIOError(f"{path.name}, record {number}: the file ends within the record")
    return memoryview(content)[offset + 8 : end], end + -length % 4


def _parse(payload: memoryview, path: Path, number: int) -> tuple[Floats, float]:
    try:
        entries = {tag: _tensor(entry) for tag, entry in _fields(payload) if tag in (1, 2)}
    except (IndexError, RecordIOError) as error:
        raise RecordIOError(f"{path.name}, record {number}: {error}; allowed are dense Float32 tensors") from None
    if 1 not in entries or len(entries.get(2, ())) != 1:
        raise RecordIOError(f"{path.name}, record {number}: needs features and one label")
    return entries[1], float(entries[2][0])


def _tensor(entry: memoryview) -> Floats:
    value = dict(_fields(entry)).get(2, memoryview(b""))
    kinds = dict(_fields(value))
    if set(kinds) != {2}:
        raise RecordIOError("a value that is no Float32 tensor")
    parts = list(_fields(kinds[2]))
    if any(tag == 2 for tag, _ in parts):
        raise RecordIOError("a sparse tensor")
    return np.frombuffer(b"".join(part for tag, part in parts if tag == 1), "<f4")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield tag and content of every length-delimited field; protobuf's fixed32 counts as four bytes of content."""
    position = 0
    while position < len(message):
        key, position = _read_varint(message, position)
        length, start = (4, position) if key & 7 == 5 else _read_varint(message, position)
        if key & 7 not in (2, 5) or start + length > len(message):
            raise RecordIOError("a field that is broken or of an unknown kind")
        yield key >> 3, message[start : start + length]
        position = start + length


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[position]
        number |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return number, position
