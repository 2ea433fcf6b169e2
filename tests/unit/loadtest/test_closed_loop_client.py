import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from loadtest.closed_loop_client import drive


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """Answers 200 to `good` and 503 to everything else."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200 if body == b"good" else 503)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_burst_counts_answers_by_status(server: ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{server.server_port}/x"
    burst = drive(url, [b"good", b"bad"], content_type="text/csv", connections=2, seconds=0.3)
    assert burst.statuses[200] >= 3
    assert abs(burst.statuses[200] - burst.failed) <= 4  # the users alternate
    assert 0 < burst.percentile_ms(50) <= burst.percentile_ms(99) < 300
    assert burst.requests_per_second == pytest.approx(burst.statuses[200] / burst.seconds)


def test_burst_against_nobody_counts_broken_connections() -> None:
    burst = drive("http://127.0.0.1:9/x", [b"good"], content_type="text/csv", connections=1, seconds=0.05)
    assert set(burst.statuses) == {0}
    assert burst.failed > 0


def test_users_who_pause_come_spread_over_their_first_pause(server: ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{server.server_port}/x"
    burst = drive(url, [b"good"], content_type="text/csv", connections=10, seconds=0.4, think_seconds=0.5)
    assert 3 <= int((burst.finished < 0.25).sum()) <= 6  # half of them; all, if none had waited
    assert len(burst.finished) < 10
