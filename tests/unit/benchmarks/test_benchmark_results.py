import json
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.child import MeasurementError, alternate, median, run
from benchmarks.result import Bar, Result, Row


def _child(code: Any) -> Any:
    return [sys.executable, "-c", code]


def test_bars_hold_on_their_side_only() -> None:
    assert Bar.at_least("speed", 2, 2).holds
    assert not Bar.at_least("speed", 2, 1.9).holds
    assert Bar.at_most("memory", 2, 2).holds
    assert not Bar.at_most("memory", 2, 2.1).holds


def test_result_is_written_with_rows_bars_and_machine(tmp_path: Path) -> None:
    result = Result("x", [Row("ours", 1.5, "s", "peer", 2.0, [1.0, 2.0])], [Bar.at_least("speed", 3, 2)])
    content = json.loads(result.write(tmp_path).read_text())
    assert content["rows"] == [
        {"name": "ours", "value": 1.5, "unit": "s", "peer": "peer", "ratio": 2.0, "runs": [1.0, 2.0]}
    ]
    assert content["bars"] == [{"name": "speed >= 3", "wanted": 3, "measured": 2, "holds": False}]
    assert content["machine"]["python"]
    assert not result.holds


def test_result_is_shown_as_tables() -> None:
    console = Console(record=True, width=120)
    Result("x", [Row("ours", 1.5, "s", "peer", 2.0, [1.0, 2.0])], [Bar.at_least("speed", 3, 2)]).show(console)
    text = console.export_text()
    assert "2.00 peer" in text
    assert "FAILS" in text


def test_a_child_is_measured_by_the_kernel() -> None:
    code = "x = b'1' * (64 << 20); import time; s = time.process_time()\nwhile time.process_time() < s + 0.2: pass\n"
    measurement = run(_child(code + "import json; print('noise'); print(json.dumps({'seconds': 0.5, 'rows': 3}))"))
    assert measurement.seconds == 0.5
    assert measurement.facts["rows"] == 3
    assert measurement.cpu_seconds >= 0.2
    assert measurement.peak_mib >= 64


def test_a_child_that_fails_is_no_measurement() -> None:
    with pytest.raises(MeasurementError, match="exit code 3"):
        run(_child("raise SystemExit(3)"))


def test_children_take_turns(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def child(name: Any) -> Any:
        return _child(f"open({str(log)!r}, 'a').write({name!r}); print('{{\"seconds\": 1}}')")

    found = alternate({"a": child("a"), "b": child("b")}, runs=3)
    assert log.read_text() == "ababab"
    assert median(found["a"], "seconds") == (1.0, [1.0, 1.0, 1.0])
