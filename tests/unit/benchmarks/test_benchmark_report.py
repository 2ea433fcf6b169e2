"""The tables of docs/performance.md, the chart, and what is not documented."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.__main__ import NAMES
from benchmarks.child import ROOT, MeasurementError
from benchmarks.result import Bar, Result, Row


def write(directory: Path, name: str, *, runs: int = 5, measured: float = 2.0) -> None:
    rows = [
        Row("ours", measured, "s", "peer", 4.25, [measured] * runs),
        Row("ours", 1234.6, "MiB", runs=[1234.6] * runs),
        Row("peer", 8.5, "s", runs=[8.0] * runs),
    ]
    bars = [Bar.at_most("seconds of it", 3, measured), Bar.at_least("times faster", 5, 4.25)]
    Result(name, rows, bars, ["nginx 1.2.3"]).write(directory)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "docs" / "performance.md"
    (path.parent / "pictures").mkdir(parents=True)
    path.write_text(f"before\n\n{report.BEGIN}\nout of date\n{report.END}\nafter\n")
    return path


def test_page_holds_one_table_of_every_bar(tmp_path: Path, page: Path) -> None:
    write(tmp_path, "a")
    write(tmp_path, "b", measured=3.5)

    report.write_docs(["a", "b"], tmp_path, page)

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "out of date" not in text
    assert "1 of 4 bars hold." in text
    assert "| a | seconds of it | <= 3 | 2 | holds |" in text
    assert "| b | seconds of it | <= 3 | 3.5 | **misses** |" in text
    assert "| a | times faster | >= 5 | 4.25 | **misses** |" in text


def test_page_holds_a_line_for_every_subject(tmp_path: Path, page: Path) -> None:
    write(tmp_path, "a")

    report.write_docs(["a"], tmp_path, page)

    text = page.read_text()
    assert "| | s | MiB |" in text
    assert "| ours | 2 (2 to 2), 4.25x | 1,235 (1,235 to 1,235) |" in text
    assert "| peer | 8.5 (8 to 8) |  |" in text
    assert "nginx 1.2.3." in text


def test_picture_is_drawn_beside_the_page(tmp_path: Path, page: Path) -> None:
    write(tmp_path, "a")

    report.write_docs(["a"], tmp_path, page)

    assert (page.parent / report.PICTURE).read_bytes().startswith(b"\x89PNG")


def test_page_stays_where_a_benchmark_was_not_measured(tmp_path: Path, page: Path) -> None:
    write(tmp_path, "a", runs=2)

    with pytest.raises(MeasurementError, match=r"a was measured 2 times, 5 are wanted.*; b was not measured"):
        report.write_docs(["a", "b"], tmp_path, page)

    assert "out of date" in page.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_is_a_module_that_the_page_describes(name: Any) -> None:
    assert (ROOT / "benchmarks" / f"{name}.py").exists()
    assert f"| {name} |" in report.DOCS.read_text(encoding="utf-8").split(report.BEGIN)[0]
