"""text/csv: the fast path gives what the plain path gives, and the plain path says what is wrong."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.artifact import LinearModel
from serving.csv_rows import CsvRows
from serving.errors import InvalidRowsError, RequestError
from serving.negotiation import write_json
from serving.predictors import LinearPredictor

ODD_FIELDS = [
    *("nan", "inf", "-Infinity", "1e5", "1E+5", "-1e-7", ".5", "1.", "+1", "01", "-0", "-0.0", "", " 1", "2 ", "\t3"),
    *("1_0", "[1", "1]", "[1]", "0x1", "1e400", "1e-400", "9007199254740993", "18446744073709551616", "null", "true"),
    *('"1"', "é", "\x00", "\ufeff1", "1 2", "{}", "1\r", "\r1", "5e-324", "1.7976931348623157e308"),
]
FIELDS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr), st.integers().map(str), st.sampled_from(ODD_FIELDS)
)
LINES = st.lists(FIELDS, min_size=2, max_size=4).map(",".join)
GOOD_LINES = st.lists(st.floats(-1e6, 1e6).map(repr), min_size=3, max_size=3).map(",".join)


@st.composite
def bodies(draw: Any) -> Any:
    lines = draw(st.lists(st.one_of(GOOD_LINES, GOOD_LINES, LINES, st.just("")), max_size=6))
    return (
        draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(st.sampled_from(["", "\n", "\r\n", "\n\n"]))
    ).encode()


@settings(max_examples=500, deadline=None)
@given(bodies())
def test_fast_path_gives_the_plain_paths_matrix_and_answer(body: Any) -> None:
    rows = CsvRows(3)

    fast = rows.read_fast(body)

    if fast is not None:
        plain = rows.read_plain(body)
        assert np.array_equal(fast, plain)
        assert answer(fast) == answer(plain)


def answer(rows: Any) -> Any:
    predictor = LinearPredictor(
        LinearModel(
            predictor_type="regressor",
            weights=np.array([[0.5], [-2.0], [3.25]], np.float32),
            bias=np.zeros(1, np.float32),
            loss_type="squared_loss",
        )
    )
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            return write_json(predictor.predict(rows))
        except InvalidRowsError as error:
            return str(error)


@given(st.lists(GOOD_LINES, min_size=1, max_size=20), st.sampled_from(["\n", "\r\n"]))
def test_ordinary_rows_go_the_fast_path(lines: Any, line_end: Any) -> None:
    body = line_end.join(lines).encode()

    assert CsvRows(3).read_fast(body) is not None


@given(st.lists(GOOD_LINES, min_size=1, max_size=20))
def test_rows_are_the_numbers_that_were_written(lines: Any) -> None:
    expected = [[float(field) for field in line.split(",")] for line in lines]

    assert CsvRows(3).read("\n".join(lines).encode()).tolist() == expected


@pytest.mark.parametrize("text", [".5,1.,+1", " 1 ,\t2,3 ", "01,1e5,-0", "1,2,3\r\n\r\n"])
def test_numbers_that_json_does_not_know_are_read(text: Any) -> None:
    rows = CsvRows(3).read(text.encode())

    assert rows.tolist() == [[float(field) for field in text.split(",")]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"1,2", "row 1: 2 values, the model takes 3"),
        (b"1,2,3\n1,2,3,4\n", "row 2: 4 values, the model takes 3"),
        (b"1,2,3\n\n1,2,3", "row 2: 0 values, the model takes 3"),
        (b"1,2,x", "row 1: column 3 is 'x', a finite number is wanted"),
        (b"1,nan,3", "row 1: column 2 is 'nan'"),
        (b"1,2,3\r\n4,-inf,6", "row 2: column 2 is '-inf'"),
        (b"1,1e400,3", "row 1: column 2 is '1e400'"),
        (b"1,1_0,3", "row 1: column 2 is '1_0'"),
        (b"1,,3", "row 1: column 2 is ''"),
        (b"1,[2],3", r"row 1: column 2 is '\[2\]'"),
        (b"[1,2,3]", r"row 1: column 1 is '\[1'"),
        (b'"1",2,3', "row 1: column 1 is '\"1\"'"),
        (b"1,\xff,3", "row 1: column 2 is '\ufffd'"),
        (b"1,2\n,3", "row 1: 2 values.*row 2: 2 values"),
        (b"1,2,3,4\n1,2", "row 1: 4 values.*row 2: 2 values"),
    ],
)
def test_bad_rows_are_named(body: Any, message: Any) -> None:
    with pytest.raises(InvalidRowsError, match=message) as caught:
        CsvRows(3).read(body)
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"", b"\n", b"\r\n\r\n"])
def test_body_without_rows_is_refused(body: Any) -> None:
    with pytest.raises(RequestError, match="holds no rows: lines of 3 comma-separated numbers"):
        CsvRows(3).read(body)


def test_many_bad_rows_are_counted() -> None:
    with pytest.raises(InvalidRowsError, match=r"row 5: .*; and 95 more rows") as caught:
        CsvRows(3).read(b"a,b,c\n" * 100)
    assert len(caught.value.problems) == 100


def test_huge_row_is_read() -> None:
    values = np.random.default_rng(0).normal(size=300_000)

    rows = CsvRows(300_000).read(",".join(map(repr, values.tolist())).encode())

    assert np.array_equal(rows, values.reshape(1, -1))


def test_single_column_rows_are_read() -> None:
    assert CsvRows(1).read(b"1\n2\n3\n").tolist() == [[1.0], [2.0], [3.0]]


def test_matrix_outlives_the_next_read() -> None:
    reader = CsvRows(3)
    first = reader.read(b"1,2,3")
    reader.read(b"4,5,6")

    assert first.tolist() == [[1.0, 2.0, 3.0]]
