import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from training import dataset, synthetic

CONTENTS = {dataset.TRAIN: b"train\n", dataset.TEST: b"test\n"}


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files whose checksums the tests know, few made-up rows, and no network unless a test allows it."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    monkeypatch.setattr(dataset, "CONTENT_SHA256", sums)
    monkeypatch.setattr(dataset, "SYNTHETIC_ROWS", dict.fromkeys(CONTENTS, 200))
    monkeypatch.setattr(dataset, "_download", _no_network)


def _no_network(file: Any) -> None:
    raise OSError(f"no route to {file.name}")


def _place(path: Any, **changes: Any) -> Any:
    path.mkdir()
    for name, content in (CONTENTS | changes).items():
        (path / name).write_bytes(gzip.compress(content))
    return path


def _contents(directory: Any) -> Any:
    return {name: gzip.decompress((directory / name).read_bytes()) for name in CONTENTS}


def test_the_first_place_with_both_files_is_taken(tmp_path: Path) -> None:
    lines: list[str] = []
    empty, wrong = tmp_path / "empty", _place(tmp_path / "wrong", **{dataset.TEST: b"other\n"})
    right = _place(tmp_path / "right")
    source = dataset.prepare(tmp_path / "data", [empty, wrong, right], lines.append)
    assert _contents(tmp_path / "data") == CONTENTS
    assert (source.synthetic, source.source) == (False, str(right))
    written = json.loads((tmp_path / "data" / "SOURCE.json").read_text())
    assert written["synthetic"] is False
    assert written["sha256"][dataset.TRAIN] == hashlib.sha256((right / dataset.TRAIN).read_bytes()).hexdigest()
    assert f"{empty}: no {dataset.TRAIN}" in lines
    assert any(line.startswith(f"{wrong}: {dataset.TEST} unpacks to sha256") for line in lines)


def test_files_that_are_there_already_are_kept(tmp_path: Path) -> None:
    data = _place(tmp_path / "data")
    before = (data / dataset.TRAIN).stat().st_mtime_ns
    assert dataset.prepare(data, [], print).source == str(data)
    first = (data / "SOURCE.json").read_bytes()
    assert dataset.prepare(data, [_place(tmp_path / "other")], print).source == str(data)
    assert (data / "SOURCE.json").read_bytes() == first
    assert (data / dataset.TRAIN).stat().st_mtime_ns >= before


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    data, place = _place(tmp_path / "data"), _place(tmp_path / "place")
    dataset.prepare(data, [place], print)
    (data / dataset.TEST).write_bytes(b"cut off")
    lines: list[str] = []
    assert dataset.prepare(data, [place], lines.append).source == str(place)
    assert _contents(data) == CONTENTS
    assert lines[0].startswith(f"{data}: {dataset.TEST} cannot be unpacked")


def test_the_original_address_is_tried_after_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_download", lambda file: file.write_bytes(gzip.compress(CONTENTS[file.name])))
    assert dataset.prepare(tmp_path / "data", [], print).source == dataset.URL
    assert _contents(tmp_path / "data") == CONTENTS


def test_a_download_with_another_checksum_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_download", lambda file: file.write_bytes(gzip.compress(b"<html>")))
    lines: list[str] = []
    assert dataset.prepare(tmp_path / "data", [], lines.append).synthetic
    assert f"{dataset.URL}: {dataset.TRAIN} unpacks to sha256" in lines[-1]


def test_records_are_made_up_when_nothing_else_is_left(tmp_path: Path) -> None:
    lines: list[str] = []
    source = dataset.prepare(tmp_path / "data", [], lines.append)
    assert source.synthetic
    assert json.loads((tmp_path / "data" / "SOURCE.json").read_text())["synthetic"] is True
    assert lines == [f"{tmp_path / 'data'}: no {dataset.TRAIN}", f"{dataset.URL}: no route to {dataset.TRAIN}"]
    rows = gzip.decompress((tmp_path / "data" / dataset.TRAIN).read_bytes()).splitlines()
    assert len(rows) == 200
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["SOURCE.json", dataset.TEST, dataset.TRAIN]


def test_made_up_records_give_way_to_real_ones_but_are_not_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    dataset.prepare(data, [], print)
    monkeypatch.setattr(dataset, "_make_up", None)
    assert dataset.prepare(data, [], print).synthetic
    assert not dataset.prepare(data, [_place(tmp_path / "place")], print).synthetic


def test_a_failure_in_between_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    dataset.prepare(data, [], print)
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    place = _place(tmp_path / "place")
    monkeypatch.setattr("training.dataset.shutil.copyfile", _full_disk)
    with pytest.raises(OSError, match="no space"):
        dataset.prepare(data, [place], print)
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before


def _full_disk(*_: Any) -> None:
    raise OSError("no space left on device")


def test_made_up_records_are_the_same_every_time_and_fit_the_schema(tmp_path: Path) -> None:
    from training import raw

    content = b"".join(synthetic.lines(12_000, seed="a"))
    assert content == b"".join(synthetic.lines(12_000, seed="a"))
    assert content != b"".join(synthetic.lines(12_000, seed="b"))
    rows = raw.parse(raw.Chunk("made up", 1, content))
    assert len(rows) == 12_000
    assert rows["label"].mean() == pytest.approx(0.8, abs=0.02)
    assert {match.decode() for match in re.findall(rb"[a-z_]+\.\n", content)} >= {"normal.\n", "smurf.\n", "neptune.\n"}
