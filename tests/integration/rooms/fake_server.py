"""A model server for tests: it answers with the content of its model, or misbehaves as MODE says."""

# ruff: noqa: T201
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODE = os.environ.get("MODE", "ok")
if MODE == "crash":
    sys.exit("model file is of an unknown version")
while "WAITS_FOR" in os.environ and not Path(os.environ["WAITS_FOR"]).exists():
    time.sleep(0.01)
answer = Path(sys.argv[1], "answer").read_bytes()


class Handler(BaseHTTPRequestHandler):
    """The hosting contract: /ping and /invocations."""

    def do_GET(self) -> None:
        """Answer /ping."""
        self.send_response(500 if MODE == "sick" else 200)
        self.end_headers()

    def do_POST(self) -> None:
        """Answer /invocations."""
        self.send_response(500 if MODE == "failing" else 200)
        self.end_headers()
        self.wfile.write(answer)


print("serving", answer.decode(), flush=True)
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
