"""``python -m sandbox.hosting --framework scikit-learn --model-dir DIR --port N``: one instance of an endpoint."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import traceback
from pathlib import Path

import uvloop

from sandbox.hosting.application import HostedScript
from sandbox.hosting.defaults import DEFAULTS
from sandbox.hosting.script import load_hooks
from serving.http_server import HttpServer

DRAIN_SECONDS = 25.0  # SageMaker kills a container 30 s after SIGTERM


def main(arguments: list[str]) -> int:
    """Load the model and serve it until SIGTERM; a model that does not load ends the process with the reason."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.hosting")
    parser.add_argument("--framework", choices=sorted(DEFAULTS), required=True)
    parser.add_argument("--model-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        hooks = load_hooks(options.model_dir, DEFAULTS[options.framework])
        model = hooks.model_fn(str(options.model_dir))
    except Exception as error:  # whatever the script or the pickle raises
        traceback.print_exc()
        sys.stderr.write(f"the model does not load: {type(error).__name__}: {error}\n")
        return 1
    uvloop.run(_serve(HttpServer(HostedScript(hooks, model)), options.port))
    return 0


async def _serve(server: HttpServer, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await server.listen("127.0.0.1", port)
    await stop.wait()
    await server.drain(DRAIN_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
