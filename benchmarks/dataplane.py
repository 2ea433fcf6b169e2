"""The sandbox's data plane: requests a second of one core through InvokeEndpoint and a REST API, and what it adds.

The model behind it is nginx that answers at once, on the other core beside the load: so the data plane alone is what
limits, and its added latency is not hidden behind a model's. nginx itself, asked directly, is the bare server.

Added latency is measured below what a core can do, on connections that pause between requests. Connections that do
not pause fill the core, however few they are: their latency is their number divided by the rate and says no more.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.child import MeasurementError, versions
from benchmarks.result import Bar, Result, Row
from benchmarks.server import LOAD_CORE, Load, Request, Server, free_port, serving, tool, tools

BARE, INVOKE, REST = "bare model server", "InvokeEndpoint", "REST API"
PATHS = {
    BARE: "/invocations",
    INVOKE: "/endpoints/bench/invocations",
    REST: "/restapis/bench/prod/_user_request_/invocations",
}
BUSY = "64 connections"
PAUSING = "16 connections that pause 4 ms"  # 3,500 requests / second
LOADS = {BUSY: (64, 0), "16 connections": (16, 0), PAUSING: (16, 4)}  # connections, pause in milliseconds
LOAD_SECONDS = 3
ANSWER = '{"predictions":[{"score":0.5,"predicted_label":1}]}'


def measure(runs: int = 5) -> Result:
    """Measure; the bare server is the peer."""
    programs = tools()
    loads: dict[tuple[str, str], list[Load]] = {}
    requests = {name: Request(path, "text/csv", b",".join([b"0.5"] * 118)) for name, path in PATHS.items()}
    model_port, port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as scratch:
        configuration = Path(scratch, "nginx.conf")
        configuration.write_text(_NGINX.format(port=model_port, directory=scratch, answer=ANSWER))
        model_command: list[str | Path] = [tool("nginx"), "-c", configuration]
        plane_command: list[str | Path] = [
            sys.executable,
            "-m",
            "sandbox.dataplane",
            "--port",
            str(port),
            "--front",
            "http://127.0.0.1:9",
        ]
        for _ in range(runs):
            with (
                serving(model_command, model_port, requests[BARE], core=LOAD_CORE) as (model, _),
                serving(plane_command, port, Request("/_sandbox/metrics", "", b"", "GET")) as (plane, _),
            ):
                _prepare(plane, model_port)
                for name, request in requests.items():
                    server = model if name == BARE else plane
                    if (answer := server.ask(request)) != ANSWER.encode():
                        raise MeasurementError(f"{name} answers {answer!r}, not what the model answers")
                    server.warm(request, LOADS[BUSY][0], Path(scratch))
                    for kind, (connections, pause_ms) in LOADS.items():
                        pausing = replace(request, pause_ms=pause_ms)
                        load = server.load(pausing, connections, LOAD_SECONDS, Path(scratch))
                        loads.setdefault((name, kind), []).append(load)
    return _result(loads, [*versions("uvloop", "httptools"), *programs])


_NGINX = """
daemon off; worker_processes 1; pid {directory}/model.pid; error_log stderr; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {directory};
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{answer}'; }} }} }}
"""


def _prepare(plane: Server, model_port: int) -> None:
    """Put in an endpoint of one instance, and a REST API as the serving stack deploys it, without authorization."""
    instances = [{"id": "i-0", "port": model_port}]
    variant = {"name": "main", "weight": 1.0, "routing": "RANDOM", "instances": instances}
    _put(plane, "endpoints/bench", {"variants": [variant]})
    _put(plane, "apis/bench/prod", rest_api())


def rest_api() -> dict[str, Any]:
    """Return what the front pushes to a data plane for the REST API that is measured."""
    content_type = {"method.response.header.Content-Type": "integration.response.header.Content-Type"}
    statuses = {"200": r"2\d{2}", "400": "400", "424": "424", "429": "429", "500": None, "503": "503"}
    integration = {
        "type": "AWS",
        "uri": "arn:aws:apigateway:us-east-1:runtime.sagemaker:path/endpoints/bench/invocations",
        "passthrough": "NEVER",
        "templates": {"text/csv": "$input.body", "application/json": "$input.body"},
        "parameters": {
            f"integration.request.header.{name}": f"method.request.header.{name}" for name in ("Content-Type", "Accept")
        },
        "timeout_ms": 29_000,
        "responses": [
            {"status": status, "pattern": pattern, "templates": {}, "parameters": content_type}
            for status, pattern in statuses.items()
        ],
    }
    method: dict[str, Any] = {"path": "/invocations", "resource_id": "r", "method": "POST", "authorization": "NONE"}
    method |= {
        "user_pools": [],
        "api_key_required": False,
        "required_parameters": [],
        "body_models": {},
        "integration": integration,
    }
    method |= {"throttle": {"rate": 1e6, "burst": 1_000_000}}  # counted, never reached
    place = {"account_id": "123456789012", "region": "us-east-1", "deployment_id": "d", "stage_variables": {}}
    nothing: dict[str, Any] = {"models": {}, "gateway_responses": {}, "usage_plans": [], "credentials": {}}
    return {**place, **nothing, "methods": [method]}


def _put(plane: Server, what: str, content: dict[str, Any]) -> None:
    plane.ask(Request(f"/_sandbox/{what}", "application/json", json.dumps(content).encode(), "PUT"))


def _result(loads: dict[tuple[str, str], list[Load]], measured_with: list[str]) -> Result:
    def median(name: str, kind: str, what: str) -> tuple[float, list[float]]:
        values = [float(getattr(load, what)) for load in loads[name, kind]]
        return statistics.median(values), values

    units = {"rate": "requests/s", "cpu_microseconds": "CPU us/request", "p50_ms": "ms p50", "p99_ms": "ms p99"}
    rows = [
        Row(f"{name}, {kind}", value, unit, runs=values)
        for name, kind in loads
        for what, unit in units.items()
        for value, values in [median(name, kind, what)]
    ]
    bare = median(BARE, PAUSING, "p50_ms")[0]
    return Result(
        "dataplane",
        rows,
        [
            Bar.at_least("InvokeEndpoint requests/s a core", 8_000, median(INVOKE, BUSY, "rate")[0]),
            Bar.at_least("REST API requests/s a core", 5_000, median(REST, BUSY, "rate")[0]),
            *(
                Bar.at_most(f"{name}: ms added to p50 at {PAUSING}", 1, median(name, PAUSING, "p50_ms")[0] - bare)
                for name in (INVOKE, REST)
            ),
        ],
        measured_with,
    )
