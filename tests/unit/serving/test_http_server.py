"""The server as clients see it: framing, statuses, order, draining."""

import asyncio
import json
import socket
import threading
import time
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.application import MAX_BODY_BYTES, Application

ROW = b"1,2,3"


def request(
    method: Any = "POST", path: Any = "/invocations", body: Any = ROW, version: Any = "1.1", **headers: Any
) -> Any:
    headers = {"Host": "x", "Content-Type": "text/csv", "Content-Length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
    return f"{method} {path} HTTP/{version}\r\n{lines}\r\n".encode() + body


def split(stream: Any) -> Any:
    """Take a stream of responses apart."""
    responses = []
    while stream:
        head, _, rest = stream.partition(b"\r\n\r\n")
        status_line, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers.get("Content-Length", 0))
        status = int(status_line.split()[1])
        responses.append(SimpleNamespace(status=status, headers=headers, body=rest[:length]))
        stream = rest[length:]
    return responses


def ask(server: Any, *requests: Any) -> Any:
    return split(server.exchange(b"".join(requests)))


def expected(model: Any, rows: Any) -> Any:
    scores = model.scores(np.array(rows))
    return [
        {"score": pytest.approx(score), "predicted_label": label}
        for score, label in zip(scores.tolist(), model.labels(scores).tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/csv", b"1,2,3\n4,5,6\n"),
        ("text/csv; charset=utf-8", b"1,2,3\r\n4,5,6"),
        ("text/csv; label_size=0", b"1,2,3\n4,5,6"),
        ("application/json", b'{"instances":[{"features":[1,2,3]},{"features":[4,5,6]}]}'),
        ("Application/JSON", b'{"instances":[{"data":{"features":{"values":[1,2,3]}}},{"features":[4,5,6]}]}'),
        ("application/jsonlines", b'{"features":[1,2,3]}\n{"features":[4,5,6]}\n'),
    ],
)
def test_rows_are_answered_with_predictions(server: Any, binary_model: Any, content_type: Any, body: Any) -> None:
    (response,) = ask(server, request(body=body, Content_Type=content_type))

    assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
    assert json.loads(response.body) == {"predictions": expected(binary_model, [[1, 2, 3], [4, 5, 6]])}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/jsonlines", "application/jsonlines"),
        ("text/html, application/jsonlines;q=0.5, application/json;q=0.4", "application/jsonlines"),
    ],
)
def test_accept_chooses_the_answers_format(server: Any, accept: Any, media_type: Any) -> None:
    (response,) = ask(server, request(Accept=accept))

    assert (response.status, response.headers["Content-Type"]) == (200, media_type)
    prediction = json.loads(response.body)
    assert ("predictions" in prediction) == (media_type == "application/json")


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"Content_Type": "application/xml"}, 415, "'application/xml', this model takes text/csv, application/json"),
        ({"Content_Type": None}, 415, "Content-Type is ''"),
        ({"Content_Type": "text/csv; label_size=1"}, 415, "no label"),
        ({"Accept": "image/png"}, 406, "'image/png', this model answers application/json"),
        ({"body": b"1,2"}, 400, "row 1: 2 values"),
        ({"body": b"1,2,3\n1,x,3"}, 400, "row 2: column 2 is 'x'"),
        ({"body": b""}, 400, "no rows"),
        ({"path": "/models"}, 404, "/models is not here"),
        ({"method": "GET"}, 405, "does not take GET, only POST"),
        ({"method": "DELETE", "path": "/ping"}, 405, "does not take DELETE, only GET, HEAD"),
    ],
)
def test_wrong_request_is_refused_and_the_connection_goes_on(
    server: Any, changes: Any, status: Any, message: Any
) -> None:
    wrong, right = ask(server, request(**changes), request())

    assert wrong.status == status
    assert message in json.loads(wrong.body)["message"]
    assert right.status == 200


def test_method_not_allowed_names_the_allowed(server: Any) -> None:
    (response,) = ask(server, request("PUT"))

    assert response.headers["Allow"] == "POST"


def test_ping_is_answered_to_get_and_head(server: Any) -> None:
    get = server.exchange(request("GET", "/ping", b"", Content_Type=None))
    head = server.exchange(request("HEAD", "/ping?x=1", b"", Content_Type=None))

    assert get == head
    assert split(get)[0].status == 200


def test_head_request_gets_no_body(server: Any) -> None:
    received = server.exchange(request("HEAD", "/models", b""))

    assert received.endswith(b"\r\n\r\n")
    assert b"Content-Length: 0" not in received


def test_pipelined_requests_are_answered_in_order(server: Any, binary_model: Any) -> None:
    rows = [[float(i), 2.0, 3.0] for i in range(50)]
    responses = ask(server, *(request(body=b"%d,2,3" % i) for i in range(50)))

    predictions = [json.loads(response.body)["predictions"][0] for response in responses]
    assert predictions == expected(binary_model, rows)


def chunked(body: Any, sizes: Any, extension: Any = b"", trailer: Any = b"") -> Any:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(body[start : start + size])
        start += size
    pieces = [piece for piece in [*pieces, body[start:]] if piece]
    return (
        b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 4), max_size=4),
    st.sampled_from([b"", b";name=value"]),
    st.sampled_from([b"", b"X-Checksum: 1\r\n"]),
    st.lists(st.integers(1, 200), max_size=8).map(sorted),
)
def test_chunked_body_is_answered_like_a_whole_one(
    server: Any, sizes: Any, extension: Any, trailer: Any, cuts: Any
) -> None:
    head = request(body=b"", Content_Length=None, Transfer_Encoding="chunked")
    stream = (head + chunked(ROW, sizes, extension, trailer)) * 2 + request()

    with server.connect() as client:
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            client.sendall(stream[start:end])
        client.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: client.recv(65536), b""))

    first, second, third = split(received)
    assert first.body == second.body == third.body
    assert first.status == 200


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 250), min_size=1, max_size=6).map(sorted))
def test_request_cut_anywhere_is_answered(server: Any, cuts: Any) -> None:
    stream = request() * 2
    with server.connect() as client:
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            client.sendall(stream[start:end])
            time.sleep(0.0005)
        client.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: client.recv(65536), b""))

    assert received == server.exchange(stream)


def test_remembered_head_gives_the_bytes_of_a_fresh_one(server: Any) -> None:
    fresh, remembered = (server.exchange(request(X_Trace="remember me")) for _ in range(2))

    assert fresh == remembered


def test_heads_that_never_repeat_do_not_pile_up(server: Any) -> None:
    server.exchange(b"".join(request(X_Trace=str(i)) for i in range(3000)))

    assert len(server.server._routes) <= 1024


def test_http_10_client_gets_its_connection_closed(server: Any) -> None:
    with server.connect() as client:
        client.sendall(request(version="1.0"))
        received = b"".join(iter(lambda: client.recv(65536), b""))

    assert b"\r\nConnection: close\r\n" in received
    assert split(received)[0].status == 200


def test_http_10_client_that_asks_keeps_its_connection(server: Any) -> None:
    first, second = ask(server, *[request(version="1.0", Connection="keep-alive")] * 2)

    assert (first.status, first.headers["Connection"], second.status) == (200, "keep-alive", 200)


def test_connection_close_is_honoured(server: Any) -> None:
    responses = ask(server, request(Connection="close"), request())

    assert [response.status for response in responses] == [200]


def test_body_is_asked_for_when_the_client_expects_continue(server: Any) -> None:
    head = request(Expect="100-continue").removesuffix(ROW)
    with server.connect() as client:
        client.sendall(head)
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(ROW)
        assert split(client.recv(65536))[0].status == 200


def test_largest_body_is_read_and_one_byte_more_is_refused(server: Any) -> None:
    line = b"1,2,3" + b" " * 94 + b"\n"
    body = line * (MAX_BODY_BYTES // len(line))
    body += b" " * (MAX_BODY_BYTES - len(body) - 6) + b"1,2,3\n"
    assert len(body) == MAX_BODY_BYTES

    (largest,) = ask(server, request(body=body))
    (larger,) = ask(server, request(body=body + b"\n"))

    assert largest.status == 200
    assert (larger.status, larger.headers["Connection"]) == (413, "close")


def test_chunked_body_that_grows_too_large_is_refused(server: Any) -> None:
    head = request(body=b"", Content_Length=None, Transfer_Encoding="chunked")
    piece = b"100000\r\n" + b"1" * 0x100000 + b"\r\n"

    (response,) = ask(server, head + piece * 7)

    assert response.status == 413


@pytest.mark.parametrize(
    ("stream", "status"),
    [
        (b"\x16\x03\x01\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (request(Content_Length="5, 5"), 400),
        (request(Content_Length="-1"), 400),
        (request(Transfer_Encoding="chunked"), 400),
        (request(Content_Length=None, Transfer_Encoding="gzip, chunked"), 400),
        (request(body=b"xyz\r\n", Content_Length=None, Transfer_Encoding="chunked"), 400),
        (request(body=b"1\r\n12\r\n", Content_Length=None, Transfer_Encoding="chunked"), 400),
        (b"GET /ping HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
    ],
)
def test_stream_that_is_no_request_is_refused_and_closed(server: Any, stream: Any, status: Any) -> None:
    with server.connect() as client:
        client.sendall(stream)
        received = b"".join(iter(lambda: client.recv(65536), b""))

    (response,) = split(received)
    assert (response.status, response.headers["Connection"]) == (status, "close")


def test_bug_in_a_predictor_is_answered_with_500_and_logged(make_server: Any, caplog: Any) -> None:
    class Broken:
        n_features = 3

        def predict(self, rows: Any) -> None:
            raise ZeroDivisionError

    broken = make_server(Application(Broken()))  # type: ignore[arg-type]  # it breaks on purpose

    (response,) = ask(broken, request())

    assert response.status == 500
    assert "POST /invocations failed on a body of 5 bytes" in caplog.text


def test_bug_in_choosing_a_handler_is_answered_with_500(make_server: Any) -> None:
    class Broken:
        max_body_bytes = 100

        def handler(self, head: Any) -> None:
            raise ZeroDivisionError

    first, second = ask(make_server(Broken()), request(), request())

    assert (first.status, second.status) == (500, 500)


def test_offer_to_switch_protocols_is_ignored(server: Any) -> None:
    responses = ask(server, request(Connection="Upgrade, HTTP2-Settings", Upgrade="h2c", HTTP2_Settings="AAMAAABk"))

    assert [response.status for response in responses] == [200]


def test_connections_that_come_at_once_get_in_a_few_rounds(server: Any) -> None:
    async def rounds_until(connected: int) -> int:
        rounds = 0
        while len(server.server.connections) < connected:
            await asyncio.sleep(0)
            rounds += 1
        return rounds

    connections, gate = 200, threading.Event()
    server.loop.call_soon_threadsafe(gate.wait)
    with ExitStack() as clients:
        for _ in range(connections):
            clients.enter_context(server.connect())
        rounds = asyncio.run_coroutine_threadsafe(rounds_until(connections), server.loop)
        gate.set()

        assert rounds.result(30) < connections / 10


def test_answers_are_sent_at_once(server: Any) -> None:
    with server.connect() as client:
        client.sendall(request())
        assert split(client.recv(65536))[0].status == 200
        (connection,) = server.server.connections
        accepted = connection._transport.get_extra_info("socket")

        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_slow_reader_does_not_fill_the_memory(server: Any) -> None:
    with server.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        sent, stalled = 0, 0
        stream = request(body=b"1,2,3\n" * 1000, Accept="application/jsonlines") * 10
        while stalled < 50 and sent < 2**28:
            try:
                sent += client.send(stream)
                stalled = 0
            except BlockingIOError:
                stalled += 1
                time.sleep(0.01)
    assert sent < 2**28


def test_drain_answers_what_is_under_way_and_closes_what_is_idle(make_server: Any, binary_model: Any) -> None:
    from serving.predictors import LinearPredictor

    draining = make_server(Application(LinearPredictor(binary_model)))
    with draining.connect() as idle, draining.connect() as busy:
        busy.sendall(request()[:-2])
        idle.sendall(request())
        assert split(idle.recv(65536))[0].status == 200
        stopped = threading.Thread(target=draining.run, args=(draining.server.drain(10),))
        stopped.start()

        assert idle.recv(10) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", draining.port), timeout=5)
        busy.sendall(request()[-2:])
        assert split(busy.recv(65536))[0].status == 200
        assert busy.recv(10) == b""
        stopped.join(5)
        assert not stopped.is_alive()


def test_drain_gives_up_on_a_client_that_never_finishes(make_server: Any, binary_model: Any) -> None:
    from serving.predictors import LinearPredictor

    draining = make_server(Application(LinearPredictor(binary_model)))
    with draining.connect() as busy:
        busy.sendall(request()[:-2])
        time.sleep(0.05)
        started = time.monotonic()
        draining.run(draining.server.drain(0.3))

        assert 0.25 < time.monotonic() - started < 5
