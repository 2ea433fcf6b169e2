"""The serving benchmark: who is held to what, in which order, and what it refuses to measure."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from benchmarks import server, serving
from benchmarks.child import MeasurementError
from benchmarks.server import Load
from benchmarks.serving import AWS, CONNECTIONS, FLOOR, FORMATS, OURS, ROWS, Peer


def peer(name: str, *, rate: float, cpu: float, p99: float, mib: float, start: float) -> Peer:
    made = Peer([name], 0)
    for case in serving.cases(name):
        made.loads[case] = [Load(100, rate * factor, cpu, 1.0, p99) for factor in (1.0, 0.5, 7.0)]  # median: 1
    made.pss_mib, made.start_seconds = [mib], [start]
    return made


@pytest.fixture
def peers() -> dict[str, Peer]:
    return {
        OURS: peer(OURS, rate=4_000, cpu=20, p99=5, mib=45, start=0.3),
        AWS: peer(AWS, rate=100, cpu=700, p99=100, mib=200, start=2),
        FLOOR: peer(FLOOR, rate=9_000, cpu=5, p99=1, mib=5, start=0.01),
    }


def test_bars_hold_exactly_where_the_issue_draws_them(peers: Any) -> None:
    assert all(bar.holds for bar in serving._bars(peers))


@pytest.mark.parametrize(
    ("what", "factor", "missed"),
    [
        ("rate", 0.99, ["1 row CSV, 64 connections: times AWS's", "1 row CSV, 1000 connections: times AWS's"]),
        ("cpu_microseconds", 1.01, ["64 connections: AWS's CPU/request", "1000 connections: AWS's CPU/request"]),
        ("p99_ms", 1.01, ["1 row CSV, 1000 connections: AWS's p99"]),
    ],
)
def test_bars_miss_where_ours_is_slower(peers: Any, what: Any, factor: Any, missed: Any) -> None:
    for loads in peers[OURS].loads.values():
        for load in loads:
            object.__setattr__(load, what, getattr(load, what) * factor)

    names = [bar.name for bar in serving._bars(peers) if not bar.holds]

    assert len(names) == len(missed)
    assert all(part in name for part, name in zip(missed, names, strict=True))


def test_rows_compare_every_case_of_every_server_with_aws(peers: Any) -> None:
    rows = {(row.name, row.unit): row for row in serving._rows(peers)}

    assert rows["1 row CSV, 64 connections: SageScale", "requests/s"].ratio == 40
    assert rows["100 rows JSON, 1000 connections: SageScale", "CPU us/request"].ratio == 35
    assert rows["SageScale", "MiB PSS"].ratio == pytest.approx(200 / 45)
    assert ("1 row CSV, 64 connections: nginx return 200", "requests/s") in rows
    assert ("100 rows CSV, 64 connections: nginx return 200", "requests/s") not in rows  # it reads none


def test_every_server_is_loaded_in_every_case_once_a_run(monkeypatch: Any) -> None:
    seen: list[tuple[str, str, int]] = []

    class Recorder:
        def __init__(self, name: str) -> None:
            self.name = name

        def warm(self, *_: Any) -> None:
            pass

        def load(self, request: Any, connections: int, *_: Any) -> Load:
            seen.append((self.name, request.content_type, connections))
            return Load(connections, 1, 1, 1, 1)

        def pss_mib(self) -> float:
            return 1.0

    @contextmanager
    def started(command: Any, *_: Any, **__: Any) -> Iterator[Any]:
        yield Recorder(command[0]), 0.1

    monkeypatch.setattr(serving, "serving", started)
    servers = {name: Peer([name], 0) for name in (OURS, AWS, FLOOR)}
    for _ in range(2):
        for name, each in servers.items():
            serving._run(name, each, np.zeros((100, 3), np.float32), None)  # type: ignore[arg-type]

    assert len(servers[OURS].loads) == len(ROWS) * len(FORMATS) * len(CONNECTIONS)
    assert all(len(loads) == 2 for each in servers.values() for loads in each.loads.values())
    order = list(dict.fromkeys((name, index // (len(seen) // 2)) for index, (name, _, _) in enumerate(seen)))
    assert order == [(name, run) for run in range(2) for name in servers]


def test_load_is_lengthened_until_every_connection_is_answered() -> None:
    class Slow:
        def load(self, _request: Any, _connections: int, seconds: int, _scratch: Any) -> Load:
            return Load(20 * seconds, 20, 1, 1, 1)

    load, seconds = serving._load(Slow(), None, 100, 2, None)  # type: ignore[arg-type]
    assert (load.answers, seconds) == (160, 8)
    with pytest.raises(MeasurementError, match="5000 connections had 1280 answers in 64 s"):
        serving._load(Slow(), None, 5000, 2, None)  # type: ignore[arg-type]


def test_a_missing_program_is_named_with_its_package(monkeypatch: Any) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(MeasurementError, match="wrk is not installed: `apt-get install wrk nginx util-linux`"):
        server.tool("wrk")


def test_one_core_is_not_enough(monkeypatch: Any) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3})
    with pytest.raises(MeasurementError, match="server and load need one each"):
        server.pinned(0)
