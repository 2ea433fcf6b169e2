import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import channel, preprocess, raw, recordio, schema, shuffle
from training.job import JobError

SHARED = Path(os.environ.get("SAGESCALE_SHARED", Path(__file__).parents[4] / "shared"))
FIELDS = [
    {"protocol_type": "tcp", "service": "http", "flag": "SF"}.get(feature.name, "0") for feature in schema.FEATURES
]


def _line(label: Any = "normal.", **fields: Any) -> Any:
    changed = [fields.get(feature.name, default) for feature, default in zip(schema.FEATURES, FIELDS, strict=True)]
    return ",".join([*changed, label]) + "\n"


def _lines(count: Any, first: Any = 0) -> Any:
    """Rows that can be told apart by src_bytes; one in three is normal."""
    return "".join(
        _line("normal." if number % 3 == 0 else "smurf.", src_bytes=str(number))
        for number in range(first, first + count)
    )


def _inputs(base: Any, **files: Any) -> Any:
    for name, text in files.items():
        channel, _, file = name.partition("_")
        (base / channel).mkdir(parents=True, exist_ok=True)
        (base / channel / (file or "rows")).write_text(text)
    return base / "train", base / "test", base / "out"


def _read(directory: Any) -> Any:
    """Features and labels of a channel, parts in the order of their names."""
    blocks = [block for path in sorted(directory.iterdir()) for block in recordio.read_blocks(path)]
    return np.concatenate([block for block, _ in blocks]), np.concatenate([labels for _, labels in blocks])


def _src_bytes(directory: Any) -> Any:
    return _read(directory)[0][:, schema.ENCODED_COLUMNS.index("src_bytes")].astype(int).tolist()


def _encode_plainly(line: Any) -> Any:
    *values, label = line.rstrip("\n").split(",")
    record = {
        feature.name: value if feature.vocabulary else float(value)
        for feature, value in zip(schema.FEATURES, values, strict=True)
    }
    return np.array(schema.encode(record), np.float32), schema.label_of(label)


def test_channels_hold_every_row_once(tmp_path: Path) -> None:
    train, test, out = _inputs(tmp_path, train=_lines(3000), test=_lines(50, first=5000))
    summary = preprocess.preprocess(train, test, out, validation_fraction=0.2)
    train_rows, validation_rows = _src_bytes(out / "train"), _src_bytes(out / "validation")
    assert sorted(train_rows + validation_rows) == list(range(3000))
    assert len(validation_rows) == pytest.approx(600, abs=100)  # five sigma of a binomial
    assert _src_bytes(out / "test") == list(range(5000, 5050))
    assert json.loads((out / "summary" / "summary.json").read_text()) == summary
    assert summary["channels"]["train"]["rows"] == len(train_rows)
    assert summary["channels"]["test"] == {"rows": 50, "normal": 17, "attack": 33}


def test_training_rows_are_shuffled_over_the_whole_file(tmp_path: Path) -> None:
    train, test, out = _inputs(tmp_path, train=_lines(20_000), test=_lines(1))  # several chunks
    preprocess.preprocess(train, test, out)
    rows = np.array(_src_bytes(out / "train"))
    ranks = np.argsort(np.argsort(rows))
    correlation = np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]
    assert abs(correlation) < 5 / np.sqrt(len(ranks))  # five sigma of independent orders


def test_rows_are_encoded_as_the_schema_encodes_one(tmp_path: Path) -> None:
    lines = [
        _line("smurf.", protocol_type="icmp", service="ecr_i", src_bytes="1032", serror_rate="0.17"),
        _line("normal.", service="unheard_of", flag="XX", duration="1e3", dst_bytes="-0.5"),
        _line("normal.", protocol_type="udp", service="other", src_bytes="693375640"),
    ]
    train, test, out = _inputs(tmp_path, train=_lines(10), test="".join(lines))
    preprocess.preprocess(train, test, out)
    features, labels = _read(out / "test")
    for row, label, line in zip(features, labels, lines, strict=True):
        expected, expected_label = _encode_plainly(line)
        np.testing.assert_array_equal(row, expected)
        assert label == expected_label


def test_real_rows_are_encoded_as_the_schema_encodes_one() -> None:
    path = SHARED / "kdd99" / "corrected.gz"
    if not path.exists():
        pytest.skip(f"{path} is missing")
    chunk = next(raw.read_chunks(path, path.name))
    lines = chunk.lines.decode().splitlines()[::5]
    rows = raw.parse(raw.Chunk(path.name, 1, "\n".join(lines).encode()))
    records = channel.Encoder().encode(rows)
    for record, line in zip(records, lines, strict=True):
        expected, label = _encode_plainly(line)
        np.testing.assert_array_equal(record["values"], expected)
        assert record["label"] == label


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n"])
def test_line_endings_and_blank_lines_do_not_matter(tmp_path: Path, ending: Any) -> None:
    train, test, out = _inputs(tmp_path, train=_lines(10), test="")
    (test / "rows").write_bytes(_lines(5).replace("\n", ending).encode())
    preprocess.preprocess(train, test, out)
    assert _src_bytes(out / "test") == [0, 1, 2, 3, 4]


def test_gzip_in_several_members_equals_plain_text(tmp_path: Path) -> None:
    train, test, out = _inputs(tmp_path, train=_lines(10), test="")
    content = _lines(100)
    (test / "rows").write_bytes(gzip.compress(content[:4000].encode()) + gzip.compress(content[4000:].encode()))
    preprocess.preprocess(train, test, out)
    assert _src_bytes(out / "test") == list(range(100))


def test_two_shards_write_what_one_machine_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {f"train_day{day}": _lines(1500, first=1500 * day) for day in range(4)} | {
        "test_a": _lines(9),
        "test_b": _lines(8),
    }
    train, test, out = _inputs(tmp_path / "one", **sources)
    preprocess.preprocess(train, test, out)
    for shard, names in enumerate((("train_day0", "train_day3", "test_a"), ("train_day1", "train_day2", "test_b")), 1):
        base = tmp_path / f"shard{shard}"
        (base / "config").mkdir(parents=True)
        resources = {"current_host": f"algo-{shard}", "hosts": ["algo-1", "algo-2"]}
        (base / "config" / "resourceconfig.json").write_text(json.dumps(resources))
        monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
        preprocess.preprocess(*_inputs(base, **{name: sources[name] for name in names}))

    def contents(*bases: Any) -> Any:
        paths = [path for base in bases for path in (tmp_path / base / "out").glob("*/part-*")]
        return {path.parent.name + "/" + path.name: path.read_bytes() for path in paths}

    assert contents("shard1", "shard2") == contents("one")
    assert {path.name for path in tmp_path.glob("shard*/out/summary/*")} == {
        "summary-algo-1.json",
        "summary-algo-2.json",
    }


def test_parts_mix_the_sources(tmp_path: Path) -> None:
    train, test, out = _inputs(tmp_path, train_a=_lines(2000), train_b=_lines(2000, first=2000), test=_lines(1))
    preprocess.preprocess(train, test, out)
    names = sorted(path.name for path in (out / "train").iterdir())
    assert names[:3] == ["part-0000-a.pbr", "part-0000-b.pbr", "part-0001-a.pbr"]


def test_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    train, test, out = _inputs(tmp_path, train=_lines(100), test=_lines(5))
    preprocess.preprocess(train, test, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    preprocess.preprocess(train, test, out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (_line(src_bytes="many"), "field src_bytes: came 'many'; allowed is a finite number"),
        (_line(serror_rate=""), "field serror_rate: came ''; allowed is a finite number"),
        (_line(duration="nan"), "field duration: came 'nan'; allowed is a finite number"),
        (_line(duration="-inf"), "field duration: came '-inf'; allowed is a finite number"),
        (_line(dst_bytes="1e39"), "field dst_bytes: came '1e39'; allowed is a finite number"),
        (_line("normal"), "field label: came 'normal'; allowed is 'normal.'"),
        (_line(""), "field label: came ''; allowed is 'normal.'"),
        ("0,tcp,http\n", "came 3 fields; allowed are 42"),
        (_line()[:-1] + ",more\n", "came 43 fields; allowed are 42"),
        (_line(service="caf\udce9"), "came b'0,tcp,caf\\xe9"),
    ],
    ids=["text", "empty", "nan", "inf", "large", "label", "no_label", "short", "long", "not_utf8"],
)
def test_a_broken_row_is_named_with_file_row_and_field(tmp_path: Path, broken: Any, reason: Any) -> None:
    train, test, out = _inputs(tmp_path, train="", test=_lines(5))
    content = _lines(9000) + broken + _lines(100)  # not in the first chunk
    (train / "rows").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(JobError) as caught:
        preprocess.preprocess(train, test, out)
    assert str(caught.value).startswith("rows, row 9001")
    assert reason in str(caught.value)


def test_several_broken_rows_are_reported_at_once(tmp_path: Path) -> None:
    text = _line(hot="x", urgent="y") + _lines(2) + _line("bad")
    with pytest.raises(JobError) as caught:
        preprocess.preprocess(*_inputs(tmp_path, train=_lines(5), test=text))
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        "rows, row 1, field urgent",
        "rows, row 1, field hot",
        "rows, row 4, field label",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "rows: the file is empty"),
        (b"\n\n", "rows: the file is empty"),
        (gzip.compress(_lines(500).encode())[:-20], "rows: not a complete gzip file"),
        (b"\x00" * 3_000_000, "rows, row 1: longer than 65536 bytes"),
    ],
)
def test_a_file_without_rows_is_named(tmp_path: Path, content: Any, reason: Any) -> None:
    train, test, out = _inputs(tmp_path, train=_lines(5), test="")
    (test / "rows").write_bytes(content)
    with pytest.raises(JobError) as caught:
        preprocess.preprocess(train, test, out)
    assert reason in str(caught.value)


def test_a_missing_test_file_is_named(tmp_path: Path) -> None:
    train, test, out = _inputs(tmp_path, train=_lines(5))
    with pytest.raises(JobError, match=r"--test: .*/test does not exist; at least one raw KDD99 file is needed"):
        preprocess.preprocess(train, test, out)
    test.mkdir()
    with pytest.raises(JobError, match=r"--test: .*/test holds no file"):
        preprocess.preprocess(train, test, out)


def test_an_impossible_validation_fraction_is_refused(tmp_path: Path) -> None:
    train, test, out = _inputs(tmp_path, train=_lines(5), test=_lines(5))
    arguments = ["--train", train, "--test", test, "--output", out, "--validation-fraction", "0.9"]
    with pytest.raises(JobError, match=r"came 0\.9; allowed is above 0 and up to 0\.5"):
        preprocess.main([str(argument) for argument in arguments])


def test_a_failing_job_leaves_its_reason_for_sagemaker(tmp_path: Path) -> None:
    train, test, out = _inputs(tmp_path, train=_lines(5), test=_lines(3) + _line("bad"))
    (tmp_path / "output").mkdir()
    arguments = ["preprocess", "--train", train, "--test", test, "--output", out]
    finished = subprocess.run(
        [sys.executable, "-m", "training", *map(str, arguments)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1].startswith("rows, row 4, field label: came 'bad'")
    assert (tmp_path / "output" / "message").read_text() == finished.stderr.splitlines()[-1]


def test_keys_are_spread_evenly() -> None:
    keys = shuffle.keys_of("file", np.arange(200_000, dtype=np.uint32))
    assert len(np.unique(keys)) == len(keys)
    counts = np.bincount((keys >> np.uint64(55)).astype(np.int64), minlength=shuffle.GROUPS)
    expected = len(keys) / shuffle.GROUPS
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert abs(chi_square - (shuffle.GROUPS - 1)) < 5 * np.sqrt(2 * (shuffle.GROUPS - 1))
    assert shuffle.chosen(keys, 0.1).mean() == pytest.approx(0.1, abs=5 * np.sqrt(0.09 / len(keys)))


def test_small_groups_come_together_in_the_order_they_have_alone(tmp_path: Path) -> None:
    content = _lines(3000).encode()
    with (tmp_path / "spill").open("w+b") as file:
        spill = shuffle.Spill("rows", file)
        rows = raw.parse(raw.Chunk("rows", 1, content))
        for part in (rows[:1000], rows[1000:]):
            spill.add(*shuffle.group_rows("rows", part))
        together, alone = (
            [spill.gather(pieces)[0]["position"] for pieces in spill.groups(at_least)] for at_least in (8, 512)
        )
    assert (len(together), len(alone)) == (8, 512)
    np.testing.assert_array_equal(np.concatenate(together), np.concatenate(alone))
    assert sorted(np.concatenate(alone)) == sorted(rows["position"])
