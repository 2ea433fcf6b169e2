"""The sandbox's one process: installs the rooms, starts the data plane, serves every AWS API on one loopback port.

Run by `sandbox.launch`; it ends with SIGTERM, and with the process that owns it, if it has an owner.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import select
import signal
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from sandbox.front import Front
from sandbox.processes import Process, log_tail, spawn, terminate
from sandbox.runtime import Runtime
from sandbox.status import describe

ROOMS = (
    "seams",
    "permissions",
    "cloudformation",
    "sagemaker",
    "functions",
    "workflows",
    "events",
    "restapis",
    "scaler",
)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.server", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="state, logs, files of jobs and instances")
    parser.add_argument("--port", type=int, required=True, help="loopback port of the AWS APIs")
    parser.add_argument("--dataplane-port", type=int, required=True, help="loopback port of the data plane")
    parser.add_argument("--owner-pid", type=int, help="process whose end ends the sandbox too")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("botocore", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    os.environ["MOTO_PORT"] = str(arguments.port)  # where moto's Step Functions call other services
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"  # roles may attach AWS's own policies
    runtime = Runtime(
        directory=arguments.directory.resolve(), port=arguments.port, dataplane_port=arguments.dataplane_port
    )
    serve(runtime, arguments.owner_pid)


def serve(runtime: Runtime, owner_pid: int | None) -> None:
    """Install the rooms, listen, and clean up in the end."""
    rooms = [importlib.import_module(f"sandbox.{name}") for name in ROOMS]
    for room in rooms:
        room.install(runtime)
    dataplane = _start_dataplane(runtime)
    front = Front(runtime, lambda: {**describe(runtime), "dataplane_exit_code": dataplane.exit_code})
    server = make_server("127.0.0.1", runtime.port, front, threaded=True, request_handler=RequestHandler)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _stop(server))
    threading.Thread(target=front.warm_up, daemon=True).start()
    if owner_pid:
        threading.Thread(target=_end_with, args=(owner_pid, server), daemon=True).start()
    threading.Thread(target=_report_end, args=(dataplane,), daemon=True).start()
    server.serve_forever(poll_interval=0.1)
    _shut_down(rooms, dataplane)


class RequestHandler(MotoRequestHandler):
    """Keeps connections open: a deployment makes thousands of calls."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        """Log nothing: every poll would be a line."""


def _start_dataplane(runtime: Runtime) -> Process:
    arguments = ["--port", str(runtime.dataplane_port), "--front", runtime.endpoint_url]
    return spawn(
        [sys.executable, "-m", "sandbox.dataplane", *arguments],
        env=runtime.environment(),
        log=runtime.directory / "logs" / "dataplane.log",
    )


def _report_end(dataplane: Process) -> None:
    """Say when the data plane is gone: nothing is served any more; starting it anew would hide why it ended."""
    code = dataplane.wait()
    last = " | ".join(log_tail(dataplane.log, 3))
    logging.getLogger(__name__).error("the data plane ended with code %s; %s ends with: %s", code, dataplane.log, last)


def _stop(server: Any) -> None:
    threading.Thread(target=server.shutdown, daemon=True).start()  # it waits for the loop this signal interrupted


def _end_with(owner_pid: int, server: Any) -> None:
    try:
        owner = os.pidfd_open(owner_pid)
        select.select([owner], [], [])
    except ProcessLookupError:
        pass  # the owner ended already
    server.shutdown()


def _shut_down(rooms: list[ModuleType], dataplane: Process) -> None:
    for room in reversed(rooms):
        if hasattr(room, "shutdown"):
            room.shutdown()
    terminate(dataplane, grace_seconds=2.0)
    logging.shutdown()
    os._exit(0)  # nothing is left to clean up, and taking half a gigabyte of modules apart takes a second


if __name__ == "__main__":
    main()
