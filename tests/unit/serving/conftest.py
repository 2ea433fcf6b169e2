"""A model server of the tests' own, in a thread, on a port the system chose."""

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import uvloop

from serving.application import Application
from serving.artifact import LinearModel
from serving.http_server import HttpServer
from serving.predictors import LinearPredictor


@pytest.fixture(scope="session")
def binary_model() -> Any:
    random = np.random.default_rng(7)
    return LinearModel(
        predictor_type="binary_classifier",
        weights=random.normal(size=(3, 1)).astype(np.float32),
        bias=random.normal(size=1).astype(np.float32),
        loss_type="logistic",
    )


class RunningServer:
    """A HttpServer in its own thread and event loop."""

    def __init__(self, application: Any) -> None:
        self.loop = uvloop.new_event_loop()
        self.server = HttpServer(application)
        self.port = self.loop.run_until_complete(self.server.listen("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def stop(self) -> None:
        self.run(self.server.drain(1))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    @contextmanager
    def connect(self) -> Any:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as client:
            yield client

    def exchange(self, request: pytest.FixtureRequest) -> Any:
        """Send `request` on a connection of its own, half-close, return all that comes back."""
        with self.connect() as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            return read_all(client)


def read_all(client: Any) -> Any:
    received = bytearray()
    while piece := client.recv(65536):
        received += piece
    return bytes(received)


@pytest.fixture(scope="session")
def server(binary_model: Any) -> Any:
    running = RunningServer(Application(LinearPredictor(binary_model)))
    yield running
    running.stop()


@pytest.fixture
def make_server() -> Any:
    """Start servers of the test's own applications; they end with the test."""
    started = []

    def make(application: Any) -> Any:
        started.append(RunningServer(application))
        return started[-1]

    yield make
    for running in started:
        running.stop()
