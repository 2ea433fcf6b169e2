"""Routes change, instances die: no request is lost."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from serving.http_answer import Answer
from tests.unit.sandbox.dataplane.conftest import wait_for

OK = Answer(200, b"text/plain", b"ok")


@pytest.fixture
def caller(plane: Any) -> Any:
    """Calls the endpoint without a pause from several threads until told to stop; remembers every status."""
    statuses, stop = [], threading.Event()

    def work() -> None:
        while not stop.is_set():
            statuses.append(plane.invoke().status)

    pool = ThreadPoolExecutor(4)

    def start() -> None:
        for _ in range(4):
            pool.submit(work)
        while len(statuses) < 20:
            time.sleep(0.005)

    def finish() -> Any:
        stop.set()
        pool.shutdown()
        return statuses

    yield start, finish
    finish()


def slow(seconds: Any) -> Any:
    async def answer() -> Any:
        await asyncio.sleep(seconds)
        return OK

    return lambda head, body: answer()


def until(released: threading.Event) -> Any:
    """Answer when the test says so."""

    async def answer() -> Any:
        while not released.is_set():
            await asyncio.sleep(0.005)
        return OK

    return lambda head, body: answer()


def test_no_request_is_lost_when_routes_are_swapped(plane: Any, make_server: Any, caller: Any) -> None:
    start, finish = caller
    servers = [make_server(slow(0.005)) for _ in range(4)]
    plane.route(main=servers[:1])
    start()
    for turn in range(12):
        old = servers[turn % 4]
        plane.route(main=[servers[(turn + 1) % 4]])
        old.die()  # the routes' change has drained it
        old.listen_again()

    statuses = finish()

    assert set(statuses) == {200}
    assert min(len(server.calls) for server in servers) > 0


def test_no_request_is_lost_when_an_instance_dies(plane: Any, make_server: Any, caller: Any) -> None:
    start, finish = caller
    mortal, other = make_server(slow(0.02)), make_server(slow(0.001))
    plane.route(main=[mortal, other])
    start()
    mortal.die()
    served = len(other.calls)
    wait_for(lambda: len(other.calls) > served + 100)

    assert set(finish()) == {200}


def test_dead_instance_comes_back_when_it_accepts_again(plane: Any, make_server: Any) -> None:
    mortal, other = make_server(), make_server()
    plane.route(main=[mortal, other])
    mortal.die()
    for _ in range(20):
        assert plane.invoke().status == 200
    before = len(mortal.calls)
    mortal.listen_again()

    deadline = time.monotonic() + 10
    while len(mortal.calls) == before and time.monotonic() < deadline:
        assert plane.invoke().status == 200
        time.sleep(0.01)

    assert len(mortal.calls) > before


def test_endpoint_without_a_living_instance_is_unavailable(plane: Any, make_server: Any) -> None:
    mortal = make_server()
    plane.route(main=[mortal])
    mortal.die()

    answer = plane.invoke()

    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (503, "ServiceUnavailable")


def test_request_that_kills_instances_does_not_kill_them_all(plane: Any, background: Any) -> None:
    accepted = []

    async def speak(reader: Any, writer: Any) -> None:
        accepted.append(1)
        await reader.readuntil(b"1,2,3")
        writer.close()

    servers = [background.run(asyncio.start_server(speak, "127.0.0.1", 0)) for _ in range(6)]
    background.closers += [each.close for each in servers]
    instances = [{"id": f"i-{n}", "port": each.sockets[0].getsockname()[1]} for n, each in enumerate(servers)]
    plane.put("endpoints/kdd", {"variants": [{"name": "main", "instances": instances}]})

    assert plane.invoke().status == 424
    assert len(accepted) == 3


def test_request_that_an_instance_breaks_goes_to_another_one(plane: Any, make_server: Any, background: Any) -> None:
    async def speak(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"1,2,3")
        writer.close()

    breaking, sound = background.run(asyncio.start_server(speak, "127.0.0.1", 0)), make_server()
    background.closers.append(breaking.close)
    ports = [breaking.sockets[0].getsockname()[1], sound.port]
    instances = [{"id": f"i-{port}", "port": port} for port in ports]
    plane.put("endpoints/kdd", {"variants": [{"name": "main", "instances": instances}]})

    assert {plane.invoke().status for _ in range(40)} == {200}


def test_put_returns_when_removed_instances_have_drained(plane: Any, make_server: Any) -> None:
    released = threading.Event()
    old, new = make_server(until(released)), make_server()
    plane.route(main=[old])
    with ThreadPoolExecutor(2) as pool:
        under_way = pool.submit(plane.invoke)
        wait_for(lambda: old.calls)
        put = pool.submit(lambda: plane.route(main=[new]))
        with pytest.raises(TimeoutError):
            put.result(0.2)
        released.set()

        assert under_way.result().status == 200
        assert put.result() == {"undrained": []}
    assert plane.invoke().status == 200
    assert len(new.calls) == 1


def test_put_does_not_wait_for_instances_that_stay(plane: Any, make_server: Any) -> None:
    released = threading.Event()
    busy, new = make_server(until(released)), make_server()
    plane.route(main=[busy])
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(plane.invoke)
        wait_for(lambda: busy.calls)
        plane.route(main=[busy, new])
        assert not under_way.done()
        released.set()

        assert under_way.result().status == 200


def test_deleted_endpoint_is_gone_when_delete_returns(plane: Any, make_server: Any) -> None:
    plane.route(main=[make_server()])
    plane.invoke()

    assert plane.call("DELETE", "/_sandbox/endpoints/kdd").status == 200
    assert plane.invoke().status == 400
    assert json.loads(plane.call("GET", "/_sandbox/metrics").body)["endpoints"] == {}
    assert plane.call("DELETE", "/_sandbox/endpoints/kdd").status == 200


def test_least_outstanding_requests_avoids_the_busy_instance(plane: Any, make_server: Any) -> None:
    released = threading.Event()
    busy, free = make_server(until(released)), make_server()
    plane.route(main=[busy, free], routing="LEAST_OUTSTANDING_REQUESTS")
    with ThreadPoolExecutor(1) as pool:

        def ask() -> Any:
            call = pool.submit(plane.invoke)
            wait_for(lambda: call.done() or busy.calls)
            return call

        under_way = ask()
        while not busy.calls:  # of equals any is chosen
            under_way = ask()
        for _ in range(20):
            plane.invoke()
        assert len(busy.calls) == 1
        released.set()

        assert under_way.result().status == 200


def test_random_routing_uses_every_instance(plane: Any, make_server: Any) -> None:
    servers = [make_server() for _ in range(3)]
    plane.route(main=servers)
    for _ in range(60):
        plane.invoke()

    assert min(len(server.calls) for server in servers) >= 5  # P(fewer) < 1e-4 at p = 1/3


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "not routes: KeyError"),
        ({"variants": []}, "no variants"),
        ({"variants": [{"name": "a", "routing": "ROUND", "instances": []}]}, "variant a: routing is 'ROUND', known"),
        ({"variants": [{"name": "a", "weight": -1, "instances": []}]}, "weight is -1.0, 0 or more"),
        ({"variants": [{"name": "a", "instances": [{"id": "i", "port": "x"}]}]}, "instance i: port is 'x'"),
        ({"variants": [{"name": "a", "instances": []}] * 2}, "two variants have one name"),
    ],
)
def test_routes_that_make_no_sense_are_refused_and_the_old_ones_stay(
    plane: Any, make_server: Any, document: Any, message: Any
) -> None:
    plane.route(main=[make_server()])

    answer = plane.call("PUT", "/_sandbox/endpoints/kdd", json.dumps(document))

    assert answer.status == 400
    assert message in json.loads(answer.body)["message"]
    assert plane.invoke().status == 200


def test_body_that_is_no_json_is_refused(plane: Any) -> None:
    assert plane.call("PUT", "/_sandbox/endpoints/kdd", b"{").status == 400
    assert plane.call("POST", "/_sandbox/endpoints/kdd", b"{}").status == 405
    assert plane.call("GET", "/_sandbox/nothing").status == 404


def test_metrics_are_counted_as_aws_counts_them(plane: Any, make_server: Any) -> None:
    plane.route(main=[make_server(slow(0.02)), make_server(slow(0.02))])
    for _ in range(10):
        plane.invoke()

    counted = plane.metrics()
    each = counted["bins"][0]
    latency = [b["ModelLatency"] for b in counted["bins"]]

    assert counted["Invocations"] == 10
    assert sum(b["InvocationsPerInstance"] for b in counted["bins"]) == pytest.approx(5)
    assert sum(sum(b["instances"].values()) for b in counted["bins"]) == 10
    assert each["start"] % 10 == 0
    assert min(b["min"] for b in latency) >= 20_000  # microseconds
    assert sum(count for b in latency for _, count in b["buckets"]) == 10
    assert sum(b["count"] for b in latency) == 10
