"""A data plane in a thread, with model servers and a front that the tests script."""

import asyncio
import http.client
import json
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop

from sandbox.dataplane.__main__ import build
from sandbox.dataplane.invoke import Place
from serving.http_answer import Answer
from serving.http_server import HttpServer

PLACE = Place("123456789012", "us-east-1")


class Background:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self.closers: list[Any] = []
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def stop(self) -> None:
        async def close_all() -> None:
            for close in self.closers:
                close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0.02)  # connections close in the loop's next turn

        self.run(close_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def end(server: Any) -> None:
    """Stop listening and break every connection."""
    for listener in server._listeners:
        listener.close()
    for connection in tuple(server.connections):
        connection._transport.abort()


class ScriptedServer:
    """An HTTP server that answers what the test says, remembers what it was asked, and can die."""

    max_body_bytes = 2**24

    def __init__(self, background: Any, answer: Any) -> None:
        self.calls: list[Any] = []
        self.answer = answer
        self._background = background
        self.server = HttpServer(self)
        self.port = background.run(self.server.listen("127.0.0.1", 0))
        background.closers.append(lambda: end(self.server))

    def handler(self, head: Any) -> Any:
        async def handle(body: Any) -> Any:
            self.calls.append(SimpleNamespace(head=head, body=body))
            answer = self.answer(head, body)
            return await answer if asyncio.iscoroutine(answer) else answer

        return handle

    def die(self) -> None:
        """Stop listening and break every connection, as a killed process does."""

        async def kill() -> None:
            end(self.server)

        self._background.run(kill())

    def listen_again(self) -> None:
        self.server = HttpServer(self)
        self._background.run(self.server.listen("127.0.0.1", self.port))


class DataPlaneUnderTest:
    """The data plane and calls to it."""

    def __init__(self, background: Any, front_port: Any) -> None:
        self.background = background
        self.server, self.endpoints = build(front_port, PLACE)
        self.port = background.run(self.server.listen("127.0.0.1", 0))
        background.closers += [lambda: end(self.server), self.endpoints.close]

    def call(self, method: Any, path: Any, body: Any = b"", headers: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        return SimpleNamespace(status=response.status, headers=response.headers, body=content)

    def put(self, path: Any, document: Any) -> Any:
        response = self.call("PUT", f"/_sandbox/{path}", json.dumps(document))
        assert response.status == 200, response.body
        return json.loads(response.body)

    def route(self, endpoint: Any = "kdd", weight: Any = 1.0, routing: Any = "RANDOM", **variants: Any) -> Any:
        """Route an endpoint: variant name = list of servers."""
        documents = [
            {
                "name": name,
                "weight": weight,
                "routing": routing,
                "instances": [{"id": f"i-{server.port}", "port": server.port} for server in servers],
            }
            for name, servers in variants.items()
        ]
        return self.put(f"endpoints/{endpoint}", {"variants": documents})

    def invoke(self, body: Any = b"1,2,3", endpoint: Any = "kdd", **headers: Any) -> Any:
        headers = {"Content-Type": "text/csv"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", f"/endpoints/{endpoint}/invocations", body, headers)

    def metrics(self, endpoint: Any = "kdd", variant: Any = "main") -> Any:
        bins = json.loads(self.call("GET", "/_sandbox/metrics").body)["endpoints"][endpoint][variant]
        keys = ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors")
        return {key: sum(each[key] for each in bins) for key in keys} | {"bins": bins}


@pytest.fixture
def background() -> Any:
    running = Background()
    yield running
    running.stop()


@pytest.fixture
def make_server(background: Any) -> Any:
    """Start servers; `answer(head, body)` gives an Answer or a coroutine of one."""

    def make(answer: Any = lambda head, body: Answer(200, b"application/json", b'{"predictions":[]}')) -> Any:
        return ScriptedServer(background, answer)

    return make


@pytest.fixture
def front(make_server: Any) -> Any:
    return make_server(lambda head, body: Answer(404, b"application/json", b"{}"))


@pytest.fixture
def plane(background: Any, front: Any) -> Any:
    return DataPlaneUnderTest(background, front.port)


def wait_for(condition: Any, seconds: Any = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
