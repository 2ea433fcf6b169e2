"""Serve a model: ``python -m serving --model-dir DIR --port N``, or ``serve`` as SageMaker starts a container."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

import uvloop

from serving.application import Application
from serving.artifact import ArtifactError
from serving.http_server import HttpServer
from serving.predictors import load_predictor

# SageMaker sends SIGKILL 30 s after SIGTERM.
_DRAIN_SECONDS = 25.0


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    options = parse_options(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        predictor = load_predictor(options.model_dir)
    except ArtifactError as error:
        return _fail(f"no model to serve: {error}")
    server = HttpServer(Application(predictor))
    try:
        uvloop.run(_serve(server, options.host, options.port))
    except OSError as error:
        return _fail(f"cannot listen on {options.host}:{options.port}: {error}")
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 1


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Return host, port and model_dir; exits with the usage where they do not parse."""
    in_container = arguments[:1] == ["serve"]
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    if in_container:
        parser.add_argument("serve", help="SageMaker's form: its port, its directory, every interface")
    parser.add_argument("--model-dir", type=Path, required=not in_container, default=Path("/opt/ml/model"))
    parser.add_argument("--port", type=int, required=not in_container, default=8080, help="0: one that is free")
    parser.add_argument("--host", default="0.0.0.0" if in_container else "127.0.0.1")  # noqa: S104
    return parser.parse_args(arguments)


async def _serve(server: HttpServer, host: str, port: int) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    bound = await server.listen(host, port)
    logging.info("serving on http://%s:%d", host, bound)
    await stop.wait()
    await server.drain(_DRAIN_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
