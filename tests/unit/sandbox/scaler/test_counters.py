from typing import Any

from sandbox.scaler.counters import counts_between


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


def invocations(begin: float, end: float, *bins: dict[str, Any]) -> float:
    counts = counts_between({"kdd": {"main": list(bins)}}, begin, end)[("kdd", "main")]
    assert counts.latencies["ModelLatency"].count == counts.values["Invocations"]
    assert counts.values["InvocationsPerInstance"] == counts.values["Invocations"] / 2
    return counts.values["Invocations"]


def test_interval_holds_the_bins_that_begin_in_it_and_no_other() -> None:
    bins = [a_bin(50, 1), a_bin(60, 7), a_bin(110, 2), a_bin(120, 8)]
    assert invocations(60, 120, *bins) == 9
    assert invocations(120, 180, *bins) == 8
    assert invocations(180, 240, *bins) == 0


def test_variant_without_a_request_has_nothing_to_tell() -> None:
    assert invocations(0, 60) == 0
