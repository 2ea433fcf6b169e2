import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def test_instance_serves_no_more_than_its_pace_and_a_second_one_doubles_it(plane: Any, make_server: Any) -> None:
    plane.put("pace", {"instance_max_rps": 100})

    def seconds_of_forty_calls() -> float:
        with ThreadPoolExecutor(20) as users:
            begin = time.monotonic()
            answers = list(users.map(lambda _: plane.invoke().status, range(40)))
            assert set(answers) == {200}
            return time.monotonic() - begin

    first, second = make_server(), make_server()
    plane.route(main=[first], routing="LEAST_OUTSTANDING_REQUESTS")
    one = seconds_of_forty_calls()
    plane.route(main=[first, second], routing="LEAST_OUTSTANDING_REQUESTS")
    two = min(seconds_of_forty_calls() for _ in range(3))  # a busy machine is slow now and then
    assert one >= 0.39  # 40 requests at 100 a second
    assert 0.19 <= two < 0.8 * one


def test_pace_ends_when_it_is_taken_back(plane: Any, make_server: Any) -> None:
    plane.put("pace", {"instance_max_rps": 0.001})
    plane.put("pace", {"instance_max_rps": None})
    plane.route(main=[make_server()])
    assert [plane.invoke().status for _ in range(3)] == [200] * 3  # which would take half an hour


def test_pace_that_makes_no_sense_is_refused(plane: Any) -> None:
    for document in ({"instance_max_rps": 0}, {"instance_max_rps": "fast"}, {}):
        assert plane.call("PUT", "/_sandbox/pace", json.dumps(document)).status == 400


def test_metrics_tell_what_is_under_way(plane: Any, make_server: Any) -> None:
    plane.route(main=[make_server()])
    assert json.loads(plane.call("GET", "/_sandbox/metrics").body)["in_flight"] == {"kdd": {"main": 0}}
