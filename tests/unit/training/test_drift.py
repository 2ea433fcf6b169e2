"""The drift check: the index against its closed form, and the report on files as data capture writes them."""

import base64
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.workstation import connection, write_dataset
from training import captured, drift
from training.job import JobError
from training.schema import FEATURES, encode, encode_csv

LEAST = 500


def write_captured(folder: Path, records: list[dict[str, Any]], name: str = "a.jsonl") -> None:
    lines = [line("text/csv", encode_csv(record)) for record in records]
    path = folder / "kdd99" / "main" / "2026" / "11" / "22" / "17" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))


def line(content_type: str, data: str, encoding: str = "CSV") -> str:
    entry = {"observedContentType": content_type, "mode": "INPUT", "data": data, "encoding": encoding}
    metadata = {"eventId": "0", "inferenceTime": "2026-11-22T17:00:00Z"}
    return json.dumps({"captureData": {"endpointInput": entry}, "eventMetadata": metadata, "eventVersion": "0"}) + "\n"


@pytest.fixture
def train(tmp_path: Path) -> Path:
    (tmp_path / "train").mkdir()
    write_dataset(tmp_path / "train" / "train.gz", 5_000)
    return tmp_path / "train"


def records(count: int, seed: int, **changes: Any) -> list[dict[str, Any]]:
    noise = random.Random(seed)
    return [connection(noise.random() < 0.7, noise) | changes for _ in range(count)]


def test_index_is_that_of_the_closed_form() -> None:
    expected = np.repeat([0, 1], [50_000, 50_000])
    actual = np.repeat([0, 1], [80_000, 20_000])
    closed_form = 0.3 * math.log(0.8 / 0.5) - 0.3 * math.log(0.2 / 0.5)
    assert drift.psi_of(expected, actual, bins=2) == pytest.approx(closed_form, rel=1e-3)
    assert drift.psi_of(expected, expected, bins=2) == 0


def test_symbols_that_came_in_neither_or_are_rare_are_no_drift() -> None:
    rare = np.arange(10, 60)  # each once in 4,000 rows: not to be expected in 300
    expected = np.concatenate([np.repeat([0, 1], [2_000, 1_950]), rare])
    actual = np.repeat([0, 1], [152, 148])
    assert drift.psi_of(expected, actual, bins=200) < 0.01
    unseen = np.repeat([0, 1, 199], [140, 140, 20])  # a symbol that is new is
    assert drift.psi_of(expected, unseen, bins=200) > 0.25


def test_index_without_drift_is_about_bins_by_rows() -> None:
    random_numbers = np.random.default_rng(7)
    found = [
        drift.psi_of(random_numbers.integers(0, 10, 4_000), random_numbers.integers(0, 10, 1_000), bins=10)
        for _ in range(200)
    ]
    assert np.mean(found) == pytest.approx(9 * (1 / 4_000 + 1 / 1_000), rel=0.15)


def test_requests_like_the_training_rows_show_no_drift(train: Path, tmp_path: Path) -> None:
    write_captured(tmp_path / "captured", records(1_000, seed=1))
    report = drift.compare(train, tmp_path / "captured", LEAST)
    assert (report["rows"], report["training_rows"], report["enough"]) == (1_000, 5_000, True)
    assert set(report["psi"]) == {feature.name for feature in FEATURES}
    assert report["largest"]["psi"] < 0.1


@pytest.mark.parametrize(
    ("changes", "feature"), [({"src_bytes": 90_000}, "src_bytes"), ({"service": "gopher"}, "service")]
)
def test_a_feature_that_changed_is_named(changes: dict[str, Any], feature: str, train: Path, tmp_path: Path) -> None:
    write_captured(tmp_path / "captured", records(600, seed=2, **changes))
    report = drift.compare(train, tmp_path / "captured", LEAST)
    assert report["largest"]["feature"] == feature
    assert report["largest"]["psi"] > 1
    assert sorted(report["psi"].values())[-2] < 0.1


def test_too_few_rows_give_no_verdict(train: Path, tmp_path: Path) -> None:
    write_captured(tmp_path / "captured", records(LEAST - 1, seed=3))
    report = drift.compare(train, tmp_path / "captured", LEAST)
    assert (report["enough"], "largest" in report) == (False, False)


def test_every_content_type_is_read_and_what_cannot_be_is_counted(tmp_path: Path) -> None:
    (record,) = records(1, seed=4)
    row = encode(record)
    as_csv = encode_csv(record)
    lines = [
        line("text/csv; charset=utf-8", as_csv + "\n" + as_csv),
        line("application/json", json.dumps({"instances": [{"features": row}]}), "JSON"),
        line("application/jsonlines", json.dumps({"features": row}), "JSON"),
        line("text/csv", base64.b64encode(as_csv.encode()).decode(), "BASE64"),
        line("text/csv", "1,2,3"),
        line("application/json", "{}", "JSON"),
        line("image/png", "AAAA", "BASE64"),
        json.dumps({"captureData": {"endpointOutput": {}}}) + "\n",
    ]
    (tmp_path / "a.jsonl").write_text("".join(lines))
    found = captured.read(tmp_path)
    assert found.rows.shape == (5, len(row))
    assert np.allclose(found.rows, np.asarray(row, np.float32))
    assert found.unreadable == 3


def test_many_training_rows_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch, train: Path) -> None:
    monkeypatch.setattr(drift, "MOST_ROWS", 1_000)
    numbers, _ = drift._training_rows(train)
    assert 500 <= len(numbers) <= 1_000


def test_command_writes_the_report(train: Path, tmp_path: Path) -> None:
    write_captured(tmp_path / "captured", records(600, seed=5))
    folders = [str(tmp_path / name) for name in ("captured", "output")]
    drift.main(["--train", str(train), "--captured", folders[0], "--output", folders[1]])
    report = json.loads((tmp_path / "output" / "drift.json").read_text())
    assert report["largest"]["psi"] < 0.2


def test_a_folder_without_training_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="holds no file"):
        drift.compare(tmp_path, tmp_path, LEAST)
