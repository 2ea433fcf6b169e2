"""JSON and JSON Lines: both paths agree, every documented shape is read, what is wrong is named."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.errors import InvalidRowsError, RequestError
from serving.json_rows import JsonRows

VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70),
    st.sampled_from([None, True, "1", [1], {"features": 1}]),
)
FEATURES = st.one_of(
    st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3),
    st.lists(VALUES, min_size=2, max_size=4),
    st.just("none"),
)
INSTANCES = st.one_of(
    st.fixed_dictionaries({"features": FEATURES}, optional={"id": st.text(max_size=3), "x": FEATURES}),
    st.fixed_dictionaries({"data": st.fixed_dictionaries({"features": st.fixed_dictionaries({"values": FEATURES})})}),
    st.just(5),
)
DOCUMENTS = st.fixed_dictionaries({"instances": st.lists(INSTANCES, max_size=4)}, optional={"features": FEATURES})


@settings(max_examples=500, deadline=None)
@given(DOCUMENTS, st.booleans())
def test_fast_path_gives_the_plain_paths_matrix(document: Any, spaces: Any) -> None:
    body = json.dumps(document, indent=1 if spaces else None).encode()
    rows = JsonRows(3)

    fast = rows.read_fast(body)

    if fast is not None:
        assert np.array_equal(fast, rows.read_plain(body))


# What clients and fuzzers put around rows: of one kind mostly, now and then another one, a broken one or none at all.
BEFORE = [
    '{"instances":[{"features":[',
    '{"instances": [{"features": [',
    ' {"instances":\n[{"data":{"features":{"values":[',
]
BETWEEN = [']},{"features":[', ']}, {"features": [', ']}}},\n{"data":{"features":{"values":[']
AFTER = ["]}]}", "]}]} ", "]}}}]}"]
ODD_FRAMES = ["],[", "]},{", "[", "]", "{}", "", ']}],"instances":[{"features":[', '],"features":[', '],"x":[']
NUMERALS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(
        ["-0", "-0.0", "1E5", "nan", ".5", "1.", "null", "true", '"1"', "", " 1", "2\n", "\r3", "[4]", "{}"]
    ),
)
ROWS = st.one_of(
    st.lists(st.floats(-1e6, 1e6).map(repr), min_size=3, max_size=3), st.lists(NUMERALS, min_size=2, max_size=4)
).map(",".join)


@st.composite
def texts(draw: Any) -> Any:
    style = draw(st.integers(0, 2))

    def frame(parts: Any) -> Any:
        return draw(st.sampled_from([parts[style]] * 12 + parts + ODD_FRAMES))

    rows = draw(st.lists(ROWS, min_size=1, max_size=4))
    between = [frame(BETWEEN) for _ in rows[1:]]
    body = "".join(row + separator for row, separator in zip(rows, [*between, ""], strict=True))
    return (frame(BEFORE) + body + frame(AFTER)).encode()


@settings(max_examples=1000, deadline=None)
@given(texts())
def test_fast_path_gives_the_plain_paths_matrix_whatever_surrounds_the_rows(body: Any) -> None:
    rows = JsonRows(3)

    fast = rows.read_fast(body)

    if fast is not None:
        assert np.array_equal(fast, rows.read_plain(body))


@pytest.mark.parametrize("style", range(3))
@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_every_documented_frame_goes_the_fast_path(style: Any, n_rows: Any) -> None:
    body = BEFORE[style] + BETWEEN[style].join(["1,2.5,-3"] * n_rows) + AFTER[style]

    fast = JsonRows(3).read_fast(body.encode())

    assert fast is not None
    assert fast.tolist() == [[1, 2.5, -3]] * n_rows


def test_huge_row_is_read() -> None:
    values = np.random.default_rng(0).normal(size=300_000)
    body = json.dumps({"instances": [{"features": values.tolist()}] * 2}).encode()

    assert np.array_equal(JsonRows(300_000).read(body), np.stack([values, values]))


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances":[{"features":[1,2,3]}],"instances":[{"features":[4,5,6]}]}',
        b'{"instances":[{"features":[1,2,3],"features":[4,5,6]}]}',
        b'{"instances":[{"features":[1,2,3],"\\u0066eatures":4}]}',
        b'{"instances":[{"features":[1,2,3]}],"\\u0069nstances":5}',
        b'{"instances":[{"features":[1,[2],3]}]}',
        b'{"instances":[{"features":[1,2,3],[4,5,6]}]}',
        b'{"instances":[{"features":[1,2,3]},{"features":[4,5,6],[7,8,9]}]}',
        b'{"instances":[{"features":[1,2,3],"features":[4,5,6]},{"features":[7,8,9]}]}',
        b'{"instances":[{"features":[1,2,3]},{"features":[4,5,6],"x":[7,8,9]}]}',
        b'{"instances":[{"features":[1,2,3]}],"instances":[]}',
        b'{"instances":[{"features":[1,2,3]}]',
        b'\xef\xbb\xbf{"instances":[{"features":[1,2,3]}]}',
    ],
)
def test_what_simdjson_would_read_otherwise_goes_the_plain_path(body: Any) -> None:
    assert JsonRows(3).read_fast(body) is None


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=10))
def test_dense_instances_go_the_fast_path(rows: Any) -> None:
    body = json.dumps({"instances": [{"features": row} for row in rows]}).encode()

    fast = JsonRows(3).read_fast(body)

    assert fast is not None
    assert fast.tolist() == rows


@pytest.mark.parametrize(
    "instance",
    [
        {"features": [0, 1.5, 0]},
        {"data": {"features": {"values": [0, 1.5, 0]}}},
        {"data": {"features": {"keys": [1], "shape": [3], "values": [1.5]}}},
        {"data": {"features": {"keys": [1], "values": [1.5]}}},
    ],
)
def test_documented_shapes_are_one_row(instance: Any) -> None:
    expected = [[0.0, 1.5, 0.0]]

    assert JsonRows(3).read(json.dumps({"instances": [instance]}).encode()).tolist() == expected
    assert JsonRows(3).read_lines(json.dumps(instance).encode() + b"\n").tolist() == expected


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        ({"features": [1, 2]}, "2 values, the model takes 3"),
        ({"features": [1, "2", 3]}, 'value 2 is "2"'),
        ({"features": [1, None, 3]}, "value 2 is null"),
        ({"features": [1, 2, True]}, "value 3 is true"),
        ({"features": 5}, "'features' is not a list"),
        ({}, "neither 'features' nor"),
        (7, "neither 'features' nor"),
        ({"data": {"features": {"keys": [3], "values": [1]}}}, "distinct integers from 0 to 2"),
        ({"data": {"features": {"keys": [1, 1], "values": [1, 2]}}}, "distinct integers"),
        ({"data": {"features": {"keys": [1], "values": [1, 2]}}}, "not lists of one length"),
        ({"data": {"features": {"keys": [1], "values": [1], "shape": [4]}}}, r"shape is \[4\], the model takes \[3\]"),
    ],
)
def test_bad_instances_are_named(instance: Any, message: Any) -> None:
    good = {"features": [1, 2, 3]}
    with pytest.raises(InvalidRowsError, match="^row 2: .*" + message):
        JsonRows(3).read(json.dumps({"instances": [good, instance]}).encode())
    with pytest.raises(InvalidRowsError, match="^row 2: .*" + message):
        JsonRows(3).read_lines(f"{json.dumps(good)}\n{json.dumps(instance)}".encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"instances":[]}', b'{"instances":5}', b"NaN"])
def test_body_without_instances_is_refused(body: Any) -> None:
    with pytest.raises(RequestError) as caught:
        JsonRows(3).read(body)
    assert caught.value.status == 400


def test_broken_line_is_named() -> None:
    with pytest.raises(InvalidRowsError, match="row 2: the line is not JSON"):
        JsonRows(3).read_lines(b'{"features":[1,2,3]}\n{"features"\n')
