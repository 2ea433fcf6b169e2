from pathlib import Path

import pytest

from loadtest.results import ResultsError, read_jtl
from loadtest.verdict import Criteria

JTL = """timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,allThreads
1000000,100,invocations,200,OK,article 1-1,true,2
1000500,300,invocations,424,Failed,article 1-2,false,2
1000200,200,invocations,200,OK,article 1-1,true,2
1001000,1000,invocations,Non HTTP response code: java.net.ConnectException,refused,article 1-2,false,3
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "kpi.jtl"
    path.write_text(text, encoding="utf-8")
    return path


def test_jtl_is_read_in_order_of_the_answers(tmp_path: Path) -> None:
    samples = read_jtl(written(tmp_path, JTL))
    assert samples.finished.tolist() == [1000.1, 1000.4, 1000.8, 1002.0]
    assert samples.codes.tolist() == [200, 200, 424, 0]
    assert samples.users.tolist() == [2, 2, 2, 3]
    assert samples.seconds == pytest.approx(2.0)
    assert samples.failed.tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (JTL.splitlines()[0] + "\n", "no samples"),
        ("elapsed,label\n1,x\n", "no column timeStamp, responseCode, success"),
        (JTL + "soon,1,x,200,OK,t,true,1\n", "line 6, column timeStamp: 'soon'"),
    ],
)
def test_file_without_results_is_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ResultsError, match=reason):
        read_jtl(written(tmp_path, text))


def test_verdict_names_every_criterion_that_was_missed(tmp_path: Path) -> None:
    samples = read_jtl(written(tmp_path, JTL))
    assert Criteria(max_error_share=0.5, max_p95_ms=200.0).failures(samples) == []
    failures = Criteria(max_p95_ms=150.0, max_error_share=0.4, min_rps=1.5).failures(samples)
    assert [failure.partition(" is ")[0] for failure in failures] == [
        "p95 in ms",
        "error share",
        "throughput in requests/s",
    ]


def test_server_error_fails_by_default_whatever_its_share(tmp_path: Path) -> None:
    many = JTL.splitlines()[0] + "\n" + "".join(f"{n * 10},10,i,200,OK,t,true,1\n" for n in range(999))
    samples = read_jtl(written(tmp_path, many + "10000,10,i,503,no,t,false,1\n"))
    assert Criteria().failures(samples) == ["share of 5xx is 0.001, at most 0 is wanted"]
