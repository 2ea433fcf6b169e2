"""Bins and distributions, without sockets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.clock import SandboxClock
from sandbox.dataplane.metrics import Distribution, Metrics, VariantMetrics
from sandbox.dataplane.throttling import Limits, Quota, TokenBucket


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=200))
def test_buckets_keep_every_value_within_two_percent(values: Any) -> None:
    distribution = Distribution()
    for value in values:
        distribution.add(value)

    summary = distribution.to_json()
    spread = [lower for lower, count in summary["buckets"] for _ in range(count)]

    assert (summary["count"], summary["sum"]) == (len(values), sum(values))
    assert (summary["min"], summary["max"]) == (min(values), max(values))
    for lower, value in zip(spread, sorted(values), strict=True):
        assert lower <= value <= lower * (1 + 1 / 64) + 1


def test_bins_are_ten_seconds_of_the_sandboxs_clock() -> None:
    wall = [125.0]
    clock = SandboxClock(lambda: wall[0])
    metrics = VariantMetrics(clock)
    for moment in (125.0, 129.9, 130.0):
        wall[0] = moment
        metrics.bin_now().invocations += 1
    clock.run_at(20)  # from 130 on a second takes 20
    for moment in (130.25, 130.5, 133.0):
        wall[0] = moment
        metrics.bin_now().invocations += 1

    assert [(each["start"], each["Invocations"]) for each in metrics.since(0)] == [
        (120, 2),
        (130, 2),
        (140, 1),
        (190, 1),
    ]
    assert [each["start"] for each in metrics.since(140)] == [140, 190]


def test_metrics_of_a_forgotten_endpoint_are_gone() -> None:
    metrics = Metrics()
    metrics.variant("a", "main").bin_now().invocations += 1
    metrics.variant("ab", "main")
    metrics.forget("a")

    assert list(metrics.since(0)["endpoints"]) == ["ab"]


def test_bucket_lets_its_burst_and_then_its_rate_through() -> None:
    bucket = TokenBucket(rate=10, burst=5)

    passed = [bucket.take(1 + n / 1000) for n in range(2001)]  # two seconds, 1000 attempts a second

    assert all(passed[:5])
    assert sum(passed) == 25  # 5 + 10/s x 2 s


def test_bucket_holds_no_more_than_its_burst() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    bucket.take(1.0)

    assert [bucket.take(100.0) for _ in range(7)] == [True] * 5 + [False] * 2


@pytest.mark.parametrize(("period", "later"), [("DAY", 86_400), ("WEEK", 7 * 86_400), ("MONTH", 31 * 86_400)])
def test_quota_is_full_again_in_the_next_period(period: Any, later: Any) -> None:
    quota, now = Quota(2, period), 1_700_000_000.0

    assert [quota.take(now) for _ in range(3)] == [True, True, False]
    assert quota.take(now + later)


def test_limits_keep_their_state_while_they_stay_the_same() -> None:
    limits = Limits()
    bucket = limits.bucket({"rate": 1, "burst": 1}, "api", "stage")
    assert bucket
    bucket.take(1.0)

    assert limits.bucket({"rate": 1, "burst": 1}, "api", "stage") is bucket
    assert limits.bucket({"rate": 2, "burst": 1}, "api", "stage") is not bucket
    assert limits.bucket(None, "api", "stage") is None
    quota = limits.quota({"limit": 1, "period": "DAY"}, "plan", "key")
    assert quota
    quota.take(0.0)
    again = limits.quota({"limit": 1, "period": "DAY"}, "plan", "key")
    assert again
    assert not again.take(0.0)
