"""Our model server beside AWS's scikit-learn container stack, MLServer, FastAPI, granian, and a bare nginx.

One model, one core for the server, another one for the load; before anything is measured every server must give the
same scores for the same rows. A run starts each server in turn, so what disturbs the machine meets all of them.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks import kdd99
from benchmarks.child import MeasurementError, environment, versions
from benchmarks.result import Bar, Result, Row
from benchmarks.server import Load, Request, Server, free_port, serving, tool, tools
from serving.artifact import LinearModel, write_artifact
from training.schema import FEATURE_DIM, encode

OURS, AWS, FLOOR = "SageScale", "AWS's scikit-learn stack", "nginx return 200"
SAGEMAKER = [
    "sagemaker-containers==2.8.6.post2",
    "flask==1.1.1",
    "werkzeug==2.0.3",
    "jinja2==3.0.3",
    "markupsafe==2.0.1",
    "itsdangerous==2.0.1",
    "protobuf==3.20.3",
    "gunicorn==27.0.1",
    "gevent==26.9.0",
    "packaging==26.3",
    "setuptools==69.5.1",
    "numpy==2.4.6",
    "scikit-learn==1.9.1",
]
MLSERVER = ["mlserver==1.7.1", "orjson==3.13.0", "numpy==2.4.6"]
ASGI = [
    "fastapi==0.165.0",
    "uvicorn==0.54.0",
    "uvloop==0.23.0",
    "httptools==0.9.0",
    "granian==2.8.7",
    "orjson==3.13.0",
    "numpy==2.4.6",
]

CONNECTIONS, ROWS, FORMATS = (64, 1000), (1, 100), ("csv", "json")
LOAD_SECONDS, MOST_LOAD_SECONDS = {64: 2, 1000: 5}, 60
Case = tuple[int, str, int]  # rows, format, connections


@dataclass
class Peer:
    """One server and what was found about it."""

    command: list[str | Path]
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    plain_json: bool = False  # a JSON list of rows, as AWS's decoder takes it
    loads: dict[Case, list[Load]] = field(default_factory=lambda: defaultdict(list))
    start_seconds: list[float] = field(default_factory=list)
    pss_mib: list[float] = field(default_factory=list)
    load_seconds: dict[Case, int] = field(default_factory=dict)  # as a run found them to be enough

    def median(self, case: Case, what: str) -> tuple[float, list[float]]:
        """Return the median of one figure of a case, and all of them."""
        values = [float(getattr(load, what)) for load in self.loads[case]]
        return statistics.median(values), values


def measure(runs: int = 5) -> Result:
    """Measure and compare."""
    kdd99.check()
    programs = tools()
    rows = np.array([encode(record) for record in kdd99.records(max(ROWS))], dtype=np.float32)
    weights = (np.random.default_rng(7).standard_normal((FEATURE_DIM, 1)) / 1e4).astype(np.float32)
    model = LinearModel("binary_classifier", weights, np.ones(1, np.float32), "logistic")
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)  # nginx's workers are another user's
        peers = _peers(model, Path(scratch))
        for name, peer in peers.items():
            _check(name, peer, rows, model)
        for _ in range(runs):
            for name, peer in peers.items():
                _run(name, peer, rows, Path(scratch))
    own = versions("uvloop", "pysimdjson", "orjson", "numpy")
    beside = [each.replace("==", " ") for each in (*SAGEMAKER, MLSERVER[0], *ASGI[:2], ASGI[4])]
    return Result("serving", _rows(peers), _bars(peers), [*own, *programs, *beside])


def _peers(model: LinearModel, scratch: Path) -> dict[str, Peer]:
    write_artifact(model, scratch / "model")
    arrays = scratch / "model.npz"
    np.savez(arrays, weights=model.weights[:, 0], bias=model.bias[0])
    aws, mlserver, asgi = (environment(each) for each in (SAGEMAKER, MLSERVER, ASGI))
    ports = [free_port() for _ in range(6)]
    shared = {"BENCH_MODEL": str(arrays)}
    (scratch / "floor.conf").write_text(_NGINX.format(port=ports[5], directory=scratch))
    _mlserver_settings(scratch / "mlserver", ports[2])
    uvicorn: list[str | Path] = [asgi.parent / "uvicorn", "benchmarks.peers.fastapi_app:app", "--port", str(ports[3])]
    granian: list[str | Path] = [
        asgi.parent / "granian",
        "--interface",
        "rsgi",
        "--loop",
        "uvloop",
        "--no-ws",
        "--workers",
        "1",
    ]
    sagemaker = {
        **shared,
        "BENCH_DIRECTORY": str(scratch),
        "SAGEMAKER_BASE_DIR": str(scratch / "opt"),
        "SAGEMAKER_BIND_TO_PORT": str(ports[1]),
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",  # one core
        "PATH": f"{aws.parent}:{Path(tool('nginx')).parent}:/usr/bin:/bin",
    }
    return {
        OURS: Peer(
            [sys.executable, "-m", "serving", "--model-dir", scratch / "model", "--port", str(ports[0])], ports[0]
        ),
        AWS: Peer([aws, "-m", "benchmarks.peers.sagemaker_serve"], ports[1], sagemaker, plain_json=True),
        "MLServer": Peer([mlserver.parent / "mlserver", "start", scratch / "mlserver"], ports[2], shared),
        "FastAPI + uvicorn": Peer([*uvicorn, "--no-access-log"], ports[3], shared),
        "granian (RSGI)": Peer(
            [*granian, "--port", str(ports[4]), "benchmarks.peers.granian_app:app"], ports[4], shared
        ),
        FLOOR: Peer([tool("nginx"), "-c", scratch / "floor.conf"], ports[5]),
    }


_NGINX = """
daemon off; worker_processes 1; pid {directory}/floor.pid; error_log stderr; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {directory};
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 "{{}}"; }} }} }}
"""


def _mlserver_settings(directory: Path, port: int) -> None:
    directory.mkdir()
    settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    settings |= {"parallel_workers": 0, "debug": False}
    (directory / "settings.json").write_text(json.dumps(settings))
    model = {"name": "linear", "implementation": "benchmarks.peers.mlserver_model.Linear"}
    (directory / "model-settings.json").write_text(json.dumps(model))


def _request(peer: Peer, rows: np.ndarray, form: str) -> Request:
    text = "\n".join(",".join(f"{value:g}" for value in row) for row in rows.tolist())
    if form == "csv":
        return Request("/invocations", "text/csv", text.encode())
    values = [json.loads(f"[{line}]") for line in text.split("\n")]  # the same numerals as in CSV
    content = values if peer.plain_json else {"instances": [{"features": row} for row in values]}
    return Request("/invocations", "application/json", json.dumps(content).encode())


def _check(name: str, peer: Peer, rows: np.ndarray, model: LinearModel) -> None:
    """Hold every answer to the model's own scores, before anything is measured; this also compiles all modules."""
    if name == FLOOR:
        return
    with serving(peer.command, peer.port, _request(peer, rows[:1], "csv"), environment=peer.environment) as (server, _):
        for form, count in product(FORMATS, ROWS):
            request = _request(peer, rows[:count], form)
            lines = _request(peer, rows[:count], "csv").body.decode().split("\n")
            answer = json.loads(server.ask(request))
            scores = (
                [row[1] for row in answer] if peer.plain_json else [each["score"] for each in answer["predictions"]]
            )
            wanted = model.scores([[float(field) for field in line.split(",")] for line in lines])
            if not np.allclose(scores, wanted, rtol=0, atol=1e-5):
                raise MeasurementError(f"{name} gives other scores for {count} rows of {form} than the model")


def _run(name: str, peer: Peer, rows: np.ndarray, scratch: Path) -> None:
    ready = _request(peer, rows[:1], "csv")
    with serving(peer.command, peer.port, ready, environment=peer.environment) as (server, start_seconds):
        peer.start_seconds.append(start_seconds)
        for count, form, connections in cases(name):
            request = _request(peer, rows[:count], form)
            case = (count, form, connections)
            if connections == CONNECTIONS[0]:
                server.warm(request, connections, scratch)
            seconds = peer.load_seconds.get(case, LOAD_SECONDS[connections])
            load, peer.load_seconds[case] = _load(server, request, connections, seconds, scratch)
            peer.loads[case].append(load)
        peer.pss_mib.append(server.pss_mib())


def _load(server: Server, request: Request, connections: int, seconds: int, scratch: Path) -> tuple[Load, int]:
    """Load until every connection had an answer on average, at least for `seconds`; return also how long that took."""
    while True:
        load = server.load(request, connections, seconds, scratch)
        if load.answers >= connections:
            return load, seconds
        if seconds >= MOST_LOAD_SECONDS:
            raise MeasurementError(f"{connections} connections had {load.answers} answers in {seconds} s")
        seconds *= 2


def cases(name: str) -> list[Case]:
    """Return what is measured on a server; the floor reads no rows."""
    return list(product((1,), ("csv",), CONNECTIONS) if name == FLOOR else product(ROWS, FORMATS, CONNECTIONS))


_FIGURES = {  # what: unit, less is better
    "rate": ("requests/s", False),
    "cpu_microseconds": ("CPU us/request", True),
    "p50_ms": ("ms p50", True),
    "p99_ms": ("ms p99", True),
}


def _rows(peers: Mapping[str, Peer]) -> list[Row]:
    rows = []
    for case in cases(OURS):
        for name, peer in peers.items():
            if case not in peer.loads:
                continue
            for what, (unit, less) in _FIGURES.items():
                value, values = peer.median(case, what)
                other, _ = peers[AWS].median(case, what)
                ratio = (other / value if less else value / other) if value else 0.0
                rows.append(
                    Row(f"{_title(case)}: {name}", value, unit, AWS if peer is not peers[AWS] else "", ratio, values)
                )
    for unit, what in (("s to first answer", "start_seconds"), ("MiB PSS", "pss_mib")):
        for name, peer in peers.items():
            values = getattr(peer, what)
            ratio = statistics.median(getattr(peers[AWS], what)) / statistics.median(values)
            rows.append(Row(name, statistics.median(values), unit, AWS if name != AWS else "", ratio, values))
    return rows


def _title(case: Case) -> str:
    count, form, connections = case
    return f"{count} row{'s' * (count > 1)} {form.upper()}, {connections} connections"


def _bars(peers: Mapping[str, Peer]) -> list[Bar]:
    ours, aws = peers[OURS], peers[AWS]

    def times(case: Case, what: str) -> float:
        mine, other = ours.median(case, what)[0], aws.median(case, what)[0]
        return mine / other if what == "rate" else other / mine

    bars = []
    for connections in CONNECTIONS:
        case = (1, "csv", connections)
        bars.append(Bar.at_least(f"{_title(case)}: times AWS's requests/s", 40, times(case, "rate")))
        bars.append(Bar.at_least(f"{_title(case)}: AWS's CPU/request in ours", 35, times(case, "cpu_microseconds")))
    bars.append(Bar.at_least("1 row CSV, 1000 connections: AWS's p99 in ours", 20, times((1, "csv", 1000), "p99_ms")))
    for form, connections in product(FORMATS, CONNECTIONS):
        case = (100, form, connections)
        bars.append(Bar.at_least(f"{_title(case)}: times AWS's requests/s", 20, times(case, "rate")))
    bars.append(Bar.at_most("MiB PSS of the server", 45, statistics.median(ours.pss_mib)))
    bars.append(Bar.at_most("seconds from start to first answer", 0.3, statistics.median(ours.start_seconds)))
    return bars
