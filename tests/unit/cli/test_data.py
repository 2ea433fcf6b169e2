import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.data import data
from training import dataset


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command in an empty directory, far from any KDD99 file and without network."""

    def refuse(_: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr(dataset, "_download", refuse)
    monkeypatch.setattr(dataset, "SYNTHETIC_ROWS", dict.fromkeys(dataset.SYNTHETIC_ROWS, 100))
    monkeypatch.delenv("KDD99_DIR", raising=False)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    app = typer.Typer()
    app.command()(data)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_made_up_data_is_announced_loudly_every_time(run: Any, tmp_path: Path) -> None:
    for _ in range(2):
        result = run()
        assert result.exit_code == 0
        assert "SYNTHETIC DATA" in result.output
        assert "MADE UP" in result.output
    assert json.loads((tmp_path / "project" / "data" / "SOURCE.json").read_text())["synthetic"] is True


def test_the_directory_of_the_environment_comes_first(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "_problem", lambda place: None if place.name in ("mine", "kdd99") else "no file")
    for place in (tmp_path / "mine", tmp_path / "shared" / "kdd99"):
        place.mkdir(parents=True)
        for name in dataset.CONTENT_SHA256:
            (place / name).write_bytes(gzip.compress(place.name.encode()))
    monkeypatch.setattr(dataset, "_install", lambda directory, source, make: dataset.Source(False, source, {}))
    assert "from ../shared/kdd99" in run().output
    monkeypatch.setenv("KDD99_DIR", str(tmp_path / "mine"))
    assert "mine)" in run().output.replace("\n", "")
