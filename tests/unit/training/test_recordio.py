import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training import recordio

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def _read(path: Any, **options: Any) -> Any:
    blocks = list(recordio.read_blocks(path, **options))
    return np.concatenate([features for features, _ in blocks]), np.concatenate([labels for _, labels in blocks])


def _message(tag: Any, content: Any) -> Any:
    size = len(content)
    return bytes([tag << 3 | 2, *([size & 0x7F | 0x80, size >> 7] if size > 127 else [size])]) + content


def _record(
    features: Any, label: Any, *, tensor: Any = 2, keys: Any = b"", label_first: Any = False, packed: Any = True
) -> Any:
    """A framed record, built by hand from the protobuf definition."""

    def entry(tag: Any, values: Any) -> Any:
        if packed:
            content = _message(1, struct.pack(f"<{len(values)}f", *values))
        else:
            content = b"".join(bytes([1 << 3 | 5]) + struct.pack("<f", value) for value in values)
        return _message(tag, _message(1, b"values") + _message(2, _message(tensor, content + keys)))

    parts = [entry(1, features), entry(2, [label])]
    payload = b"".join(reversed(parts) if label_first else parts)
    return struct.pack("<II", 0xCED7230A, len(payload)) + payload + bytes(-len(payload) % 4)


@settings(deadline=None)
@given(st.integers(1, 40).flatmap(lambda width: arrays(np.float32, (3, width), elements=FINITE)))
def test_encode_equals_the_protobuf_definition(rows: Any) -> None:
    labels = np.array([0.0, 1.0, -2.5], np.float32)
    expected = b"".join(_record(row.tolist(), label) for row, label in zip(rows, labels, strict=True))
    assert recordio.encode(rows, labels) == expected


@pytest.mark.parametrize("width", [1, 2, 31, 124, 5000])
def test_read_blocks_returns_what_encode_wrote(tmp_path: Path, width: Any) -> None:
    rows = np.random.default_rng(width).normal(size=(10, width)).astype(np.float32)
    labels = np.arange(10, dtype=np.float32)
    path = tmp_path / "part.pbr"
    path.write_bytes(recordio.encode(rows, labels))
    blocks = list(recordio.read_blocks(path, rows=4))
    assert [len(block) for block, _ in blocks] == [4, 4, 2]
    features, read_labels = _read(path, rows=4)
    np.testing.assert_array_equal(features, rows)
    np.testing.assert_array_equal(read_labels, labels)


@pytest.mark.parametrize("options", [{"label_first": True}, {"packed": False}])
def test_read_blocks_understands_other_writers(tmp_path: Path, options: Any) -> None:
    path = tmp_path / "part.pbr"
    path.write_bytes(_record([1.0, 2.0], 3.0) + _record([4.0, 5.0], 6.0, **options) + _record([7.0, 8.0], 9.0))
    features, labels = _read(path)
    assert features.tolist() == [[1.0, 2.0], [4.0, 5.0], [7.0, 8.0]]
    assert labels.tolist() == [3.0, 6.0, 9.0]


def test_read_blocks_of_an_empty_file_yields_nothing(tmp_path: Path) -> None:
    path = tmp_path / "part.pbr"
    path.touch()
    assert list(recordio.read_blocks(path)) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"1,0.5,0.25\n", "record 1: no RecordIO magic number"),
        (_record([1.0], 0.0)[:-4], "record 1: the file ends within the record"),
        (_record([1.0], 0.0) + b"more", "record 2: no RecordIO magic number at byte"),
        (_record([1.0], 0.0) + _record([1.0, 2.0], 0.0), "record 2: came 2 values; record 1 has 1"),
        (_record([1.0], 0.0, tensor=3), "record 1: a value that is no Float32 tensor"),
        (_record([1.0], 0.0, keys=_message(2, b"\x05")), "record 1: a sparse tensor"),
        (struct.pack("<II", 0xCED7230A, 4) + b"\xff\xff\xff\xff", "record 1: .*allowed are dense Float32"),
        (struct.pack("<II", 0xCED7230A, 0), "record 1: needs features and one label"),
    ],
)
def test_read_blocks_names_file_and_record_of_what_it_refuses(tmp_path: Path, content: Any, reason: Any) -> None:
    path = tmp_path / "part.pbr"
    path.write_bytes(content)
    with pytest.raises(recordio.RecordIOError, match=rf"part\.pbr, {reason}"):
        list(recordio.read_blocks(path))
