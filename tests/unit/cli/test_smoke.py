from itertools import chain, repeat

import pytest

from cli import smoke
from cli.smoke import RECORD, Judged
from training.schema import FEATURE_DIM, encode


def test_record_is_one_that_the_schema_takes() -> None:
    assert len(encode(RECORD)) == FEATURE_DIM


@pytest.mark.parametrize(
    ("latencies_ms", "failures", "found"),
    [
        ([10.0] * 100, [], []),
        ([10.0] * 90 + [500.0] * 10, [], ["p95 is 500 ms, 100 ms is allowed"]),
        ([10.0] * 98, ["503", "503"], ["2.00% of 100 requests failed, first: 503"]),
        ([10.0] * 99, ["503"], []),
        ([], [], ["0.00% of 0 requests failed, first: -"]),
    ],
)
def test_judgement_names_failures_before_slowness(
    latencies_ms: list[float], failures: list[str], found: list[str]
) -> None:
    assert Judged(latencies_ms, failures).problems(most_failures=0.01, p95_ms=100) == found


def test_callers_count_answers_and_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = chain([None, "the API answered 503: busy"], repeat(None))
    monkeypatch.setattr(smoke, "ask_once", lambda _deployment: next(answers))
    judged = smoke.drive(object(), users=1, seconds=0.3)  # type: ignore[arg-type]
    assert list(judged.failures) == ["the API answered 503: busy"]
    assert judged.requests == len(judged.latencies_ms) + 1 > 1
