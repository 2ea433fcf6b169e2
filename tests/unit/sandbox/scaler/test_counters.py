from typing import Any

import pytest

from sandbox.scaler.clock import SandboxClock
from sandbox.scaler.counters import Counters


def a_bin(start: float, invocations: int) -> dict[str, Any]:
    latency = {"sum": invocations * 100, "buckets": [[100, invocations]] if invocations else []}
    return {
        "start": start,
        "Invocations": invocations,
        "InvocationsPerInstance": invocations / 2,
        "Invocation4XXErrors": 0,
        "Invocation5XXErrors": 0,
        "InvocationModelErrors": 0,
        "ModelLatency": latency,
        "OverheadLatency": latency,
    }


def look(counters: Counters, *bins: dict[str, Any]) -> float:
    counts = counters.advance({"kdd": {"main": list(bins)}})[("kdd", "main")]
    assert counts.latencies["ModelLatency"].count == counts.values["Invocations"]
    return counts.values["Invocations"]


def test_looks_add_up_to_what_was_counted_over_several_bins() -> None:
    counters = Counters()
    assert look(counters, a_bin(0, 5)) == 5
    assert look(counters, a_bin(0, 7), a_bin(60, 2)) == 4
    assert look(counters, a_bin(60, 2), a_bin(120, 1), a_bin(180, 8)) == 9
    assert look(counters, a_bin(0, 7), a_bin(60, 2), a_bin(120, 1), a_bin(180, 8)) == 0  # old bins, told again


def test_restarted_data_plane_counts_from_zero() -> None:
    counters = Counters()
    look(counters, a_bin(0, 100))
    assert look(counters, a_bin(0, 3)) == 3


def test_variant_without_a_request_has_nothing_to_tell() -> None:
    assert look(Counters()) == 0


def test_clock_runs_faster_and_never_back() -> None:
    wall = [1000.0]
    clock = SandboxClock(lambda: wall[0])
    wall[0] = 1010.0
    assert clock.now() == 1010.0
    clock.run_at(30)
    wall[0] = 1012.0
    assert clock.now() == 1070.0
    assert clock.wall_seconds_until(1130.0) == pytest.approx(2.0)
    clock.run_at(1)
    wall[0] = 1013.0
    assert clock.now() == 1071.0
    assert clock.wall_seconds_until(1000.0) == 0
