"""Run the data plane: ``python -m sandbox.dataplane --port Q --front http://127.0.0.1:P``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import signal
import sys
from urllib.parse import urlsplit

import uvloop

from sandbox.dataplane.administration import Administration
from sandbox.dataplane.capture import Captures
from sandbox.dataplane.endpoints import Endpoints
from sandbox.dataplane.integrations import Integrations
from sandbox.dataplane.invoke import Invoker, Place
from sandbox.dataplane.metrics import Metrics
from sandbox.dataplane.permission import Permissions
from sandbox.dataplane.rest_apis import RestApis
from sandbox.dataplane.service import DataPlane
from sandbox.dataplane.upstream import Upstream
from serving.http_server import HttpServer

_FRONT_TIMEOUT_SECONDS = 60.0
_DRAIN_SECONDS = 1.5


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    _raise_file_limit()
    try:
        uvloop.run(_serve(options))
    except OSError as error:
        sys.stderr.write(f"cannot listen on 127.0.0.1:{options.port}: {error}\n")
        return 1
    return 0


def build(front_port: int, place: Place) -> tuple[HttpServer, Endpoints]:
    """Return a data plane that does not listen yet, and its endpoints."""
    metrics = Metrics()
    endpoints = Endpoints(metrics)
    front = Upstream(front_port, timeout_seconds=_FRONT_TIMEOUT_SECONDS)
    invoker = Invoker(endpoints, place, Permissions(front, place.region), Captures(front))
    apis = RestApis(Integrations(invoker, front))
    server = HttpServer(DataPlane(invoker, apis, Administration(endpoints, apis, metrics)))
    apis.changed = server.forget_heads
    return server, endpoints


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.dataplane", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--front", required=True, help="address of the sandbox's front: http://127.0.0.1:P")
    parser.add_argument("--account-id", default="123456789012")
    parser.add_argument("--region", default="us-east-1")
    return parser.parse_args(arguments)


def _raise_file_limit() -> None:
    """Allow as many connections as the system does: every client's call may need one more to an instance."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    front_port = urlsplit(options.front).port
    assert front_port is not None, f"--front is {options.front}, http://127.0.0.1:PORT is wanted"
    server, endpoints = build(front_port, Place(options.account_id, options.region))
    await server.listen("127.0.0.1", options.port)
    logging.info("data plane on http://127.0.0.1:%d", options.port)
    await stop.wait()
    await server.drain(_DRAIN_SECONDS)
    endpoints.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
