"""Channels as CSV: the same rows as RecordIO holds, value by value."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import preprocess, recordio
from training.channel import CSV, CSV_WITHOUT_LABEL, RECORDIO
from training.schema import FEATURE_DIM, FEATURES

FIELDS = {"protocol_type": "tcp", "service": "http", "flag": "SF", "serror_rate": "0.17", "duration": "1e10"}


def write_rows(path: Path, count: int) -> Path:
    path.mkdir()
    lines = []
    for number in range(count):
        service = "unheard_of" if number % 7 == 0 else "http"
        row = {**FIELDS, "src_bytes": str(number), "service": service}
        values = [row.get(feature.name, "0") for feature in FEATURES]
        lines.append(",".join([*values, "normal." if number % 3 else "smurf."]) + "\n")
    (path / "rows").write_text("".join(lines))
    return path


def read_csv(directory: Path) -> Any:
    text = "".join(path.read_text() for path in sorted(directory.glob("*.csv")))
    return np.loadtxt(io.StringIO(text), delimiter=",", dtype=np.float32, ndmin=2)


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same rows in each content type."""
    folder = tmp_path_factory.mktemp("channels")
    train, test = write_rows(folder / "train", 9000), write_rows(folder / "test", 30)
    made = {content_type: folder / f"out-{number}" for number, content_type in enumerate((RECORDIO, CSV))}
    made[CSV_WITHOUT_LABEL] = folder / "out-unlabelled"
    for content_type, output in made.items():
        preprocess.preprocess(train, test, output, content_type=content_type)
    return made


@pytest.mark.parametrize("channel", ["train", "validation"])
def test_csv_holds_the_rows_of_recordio_with_the_label_first(channels: dict[str, Path], channel: str) -> None:
    blocks = [
        block for path in sorted((channels[RECORDIO] / channel).iterdir()) for block in recordio.read_blocks(path)
    ]
    features, labels = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    rows = read_csv(channels[CSV] / channel)
    assert rows.shape == (len(features), 1 + FEATURE_DIM)
    np.testing.assert_array_equal(rows[:, 0], labels)
    np.testing.assert_array_equal(rows[:, 1:], features)


def test_csv_without_label_holds_the_features_alone(channels: dict[str, Path]) -> None:
    rows = read_csv(channels[CSV] / "train")
    np.testing.assert_array_equal(read_csv(channels[CSV_WITHOUT_LABEL] / "train"), rows[:, 1:])


def test_test_channel_is_recordio_whatever_the_algorithm_reads(channels: dict[str, Path]) -> None:
    contents = {
        b"".join(path.read_bytes() for path in sorted((output / "test").iterdir())) for output in channels.values()
    }
    assert len(contents) == 1
