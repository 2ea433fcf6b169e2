import gzip
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import schema

SHARED = Path(os.environ.get("SAGESCALE_SHARED", Path(__file__).parents[4] / "shared"))
RECORD = {
    feature.name: ("tcp" if feature.name == "protocol_type" else "http" if feature.name == "service" else "SF")
    if feature.vocabulary
    else position / 10
    for position, feature in enumerate(schema.FEATURES)
}


def test_schema_has_the_documented_shape() -> None:
    assert len(schema.FEATURES) == 41
    assert [feature.name for feature in schema.CATEGORICAL] == ["protocol_type", "service", "flag"]
    assert len(set(schema.ENCODED_COLUMNS)) == schema.FEATURE_DIM == 38 + (3 + 1) + 70 + (11 + 1)


def test_features_match_kddcup_names() -> None:
    names = SHARED / "kdd99" / "kddcup.names"
    if not names.exists():
        pytest.skip(f"{names} is missing")
    lines = [line.partition(":")[0] for line in names.read_text().splitlines()[1:] if line]
    assert [feature.name for feature in schema.FEATURES] == lines


def test_vocabularies_cover_the_training_subset() -> None:
    path = SHARED / "kdd99" / "kddcup.data_10_percent.gz"
    if not path.exists():
        pytest.skip(f"{path} is missing")
    with gzip.open(path, "rt") as rows:
        seen = {tuple(row.split(",", 4)[1:4]) for row in rows}
    for position, feature in enumerate(schema.CATEGORICAL):
        assert {symbols[position] for symbols in seen} <= {*feature.vocabulary, schema.OTHER}


def test_encode_puts_numbers_first_and_one_hot_after() -> None:
    encoded = dict(zip(schema.ENCODED_COLUMNS, schema.encode(RECORD), strict=True))
    assert encoded["duration"] == 0.0
    assert encoded["dst_host_srv_rerror_rate"] == 4.0
    ones = {column for column, value in encoded.items() if "=" in column and value == 1.0}
    assert ones == {"protocol_type=tcp", "service=http", "flag=SF"}


@pytest.mark.parametrize("field", ["protocol_type", "service", "flag"])
def test_encode_counts_an_unknown_symbol_as_other(field: Any) -> None:
    encoded = dict(zip(schema.ENCODED_COLUMNS, schema.encode({**RECORD, field: "never seen"}), strict=True))
    assert encoded[f"{field}=other"] == 1.0
    assert sum(value for column, value in encoded.items() if column.startswith(f"{field}=")) == 1.0


def test_encode_names_every_problem_of_a_record() -> None:
    broken = {**RECORD, "flag": 3, "land": True, "hot": "many", "urgent": math.nan, "colour": 1}
    del broken["duration"]
    with pytest.raises(schema.RecordError) as caught:
        schema.encode(broken)
    reasons = {problem.field: problem.reason for problem in caught.value.problems}
    assert list(reasons) == ["duration", "flag", "land", "urgent", "hot", "colour"]
    assert reasons["duration"].startswith("missing")
    assert reasons["flag"] == "came 3; allowed is text"
    assert "came True" in reasons["land"]
    assert "came 'many'; allowed is a finite number" in reasons["hot"]
    assert "came nan" in reasons["urgent"]
    assert "unknown field" in reasons["colour"]


@pytest.mark.parametrize("value", [math.inf, -math.inf, 10**400, 3.5e38])
def test_encode_refuses_a_number_float32_cannot_hold(value: Any) -> None:
    with pytest.raises(schema.RecordError, match=r"src_bytes: came .*float32"):
        schema.encode({**RECORD, "src_bytes": value})


def test_encode_accepts_numbers_whose_sum_passes_float32() -> None:
    encoded = schema.encode({**RECORD, "src_bytes": 3e38, "dst_bytes": 3e38})
    assert encoded[1:3] == [3e38, 3e38]


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.dictionaries(
        st.sampled_from([*RECORD, "stray"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    )
)
def test_encode_and_find_problems_agree_on_any_record(changes: Any) -> None:
    record = {**RECORD, **changes}
    problems = schema.find_problems(record)
    if problems:
        with pytest.raises(schema.RecordError):
            schema.encode(record)
    else:
        assert all(math.isfinite(value) for value in schema.encode(record))
        assert list(map(float, schema.encode_csv(record).split(","))) == schema.encode(record)


@pytest.mark.parametrize(("text", "label"), [("normal.", 0), ("smurf.", 1), ("a_new_attack.", 1)])
def test_label_of_known_forms(text: Any, label: Any) -> None:
    assert schema.label_of(text) == label


@pytest.mark.parametrize("text", ["", "normal", "smurf. ", "0", "two words."])
def test_label_of_refuses_other_forms(text: Any) -> None:
    with pytest.raises(ValueError, match=r"allowed is 'normal\.'"):
        schema.label_of(text)
