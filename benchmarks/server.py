"""A server under load: started on one core, asked from the other, its processor time and memory read from /proc.

The load is wrk, whose own core is never the server's. A server is its whole process tree, so nginx before gunicorn
counts. Compiled modules are kept for all alike (PYTHONDONTWRITEBYTECODE is not inherited).
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from benchmarks.child import ROOT, MeasurementError, variables

SERVER_CORE, LOAD_CORE = 0, 1
_START_SECONDS, _SETTLE_SECONDS = 60.0, 30.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Request:
    """What is sent again and again.

    Parameters
    ----------
    path, content_type : str
    body : bytes
    method : str
        Another one than POST only to see whether a server is up.
    pause_ms : int
        What a connection waits on average between an answer and its next request.
    """

    path: str
    content_type: str
    body: bytes
    method: str = "POST"
    pause_ms: int = 0


@dataclass(frozen=True)
class Load:
    """What a server did under load.

    Parameters
    ----------
    answers : int
    rate : float
        Requests / second.
    cpu_microseconds : float
        The server's processor time for a request, all its processes.
    p50_ms, p99_ms : float
    """

    answers: int
    rate: float
    cpu_microseconds: float
    p50_ms: float
    p99_ms: float


class Server:
    """One running server."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self.name = " ".join(map(str, process.args[3:])) if isinstance(process.args, list) else str(process.args)
        self._process = process

    def ask(self, request: Request) -> bytes:
        """Return the body of one answer.

        Raises
        ------
        MeasurementError
            It is none with status 200.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Content-Type": request.content_type, "Accept": "application/json"}
            connection.request(request.method, request.path, request.body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise MeasurementError(f"port {self.port} answered {answer.status}: {content[:500]!r}")
        return content

    def warm(self, request: Request, connections: int, scratch: Path) -> None:
        """Load for a second; then wait until the server has answered what is left over."""
        self._wrk(request, connections, 1, scratch)
        self.settle()

    def load(self, request: Request, connections: int, seconds: int, scratch: Path) -> Load:
        """Send `request` over `connections` connections at once, each the next one when the last was answered.

        Raises
        ------
        MeasurementError
            A request failed.
        """
        before = self._cpu_seconds()
        found = self._wrk(request, connections, seconds, scratch)
        used = self._cpu_seconds() - before
        if found["errors"]:
            what = f"{connections} connections, {len(request.body)} bytes of {request.content_type}"
            raise MeasurementError(f"{what}: {found['errors']:g} errors from {self.name}")
        self.settle()
        return Load(
            answers=int(found["requests"]),
            rate=found["requests"] / found["seconds"],
            cpu_microseconds=used / max(found["requests"], 1) * 1e6,
            p50_ms=found["p50_ms"],
            p99_ms=found["p99_ms"],
        )

    def settle(self) -> None:
        """Wait until the server does nothing: one that is slow still works on requests whose clients are gone."""
        deadline = time.perf_counter() + _SETTLE_SECONDS
        before = -1.0
        while (now := self._cpu_seconds()) > before + 0.02 and time.perf_counter() < deadline:
            before = now
            time.sleep(0.25)

    def _wrk(self, request: Request, connections: int, seconds: int, scratch: Path) -> dict[str, float]:
        body = scratch / "body"
        body.write_bytes(request.body)
        environment = variables(
            BENCH_BODY=str(body), BENCH_CONTENT_TYPE=request.content_type, BENCH_PAUSE_MS=str(request.pause_ms)
        )
        command = [*pinned(LOAD_CORE), tool("wrk"), "--threads", "1", "--connections", str(connections)]
        command += ["--duration", str(seconds), "--timeout", "60", "--script", str(ROOT / "benchmarks/load.lua")]
        command.append(f"http://127.0.0.1:{self.port}{request.path}")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        try:
            found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
        except (IndexError, ValueError):
            raise MeasurementError(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}") from None
        return found

    def pss_mib(self) -> float:
        """Return the memory of all its processes, shared pages counted in parts."""
        return sum(_pss_kib(pid) for pid in self._tree()) / 1024

    def _cpu_seconds(self) -> float:
        ticks = 0
        for pid in self._tree():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / _TICKS

    def _tree(self) -> Iterator[int]:
        waiting = [self._process.pid]
        while waiting:
            pid = waiting.pop()
            yield pid
            with suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    waiting += map(int, (task / "children").read_text().split())


@contextmanager
def serving(
    command: Sequence[str | Path],
    port: int,
    request: Request,
    *,
    core: int = SERVER_CORE,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[Server, float]]:
    """Run a server pinned to its core; yield it and the seconds from its start to its first answer.

    Raises
    ------
    MeasurementError
        It ends, or does not answer in time.
    """
    log = ROOT / "build" / "bench" / f"server-{port}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    arguments = [*pinned(core), *map(str, command)]
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            arguments, cwd=ROOT, env=variables(**environment), stdout=output, stderr=output, start_new_session=True
        )
    try:
        server = Server(process, port)
        _first_answer(server, process, request, log)
        yield server, time.perf_counter() - started
    finally:
        _end(process)
        log.unlink(missing_ok=True)


def _first_answer(server: Server, process: subprocess.Popen[bytes], request: Request, log: Path) -> None:
    deadline = time.perf_counter() + _START_SECONDS
    while time.perf_counter() < deadline and process.poll() is None:
        with suppress(OSError, http.client.HTTPException, MeasurementError):  # nginx listens before gunicorn does
            server.ask(request)
            return
        time.sleep(0.005)
    said = "\n".join(log.read_text(errors="replace").splitlines()[:30])
    raise MeasurementError(f"{process.args!r} answers nothing on port {server.port}:\n{said}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole session: what a server forked must not measure along with the next."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(3)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _pss_kib(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def pinned(core: int) -> list[str]:
    """Return the start of a command that keeps a process on one core."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise MeasurementError("one core: server and load need one each")
    return [tool("taskset"), "--cpu-list", str(cores[core])]


def tool(name: str) -> str:
    """Return the path of a program of the system.

    Raises
    ------
    MeasurementError
        It is not installed.
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise MeasurementError(
            f"{name} is not installed: `apt-get install wrk nginx util-linux` (or your system's way)"
        )
    return found


def tools() -> list[str]:
    """Return name and version of all programs of the system that servers and load need; raises as `tool` does."""
    found = []
    for name, option in (("taskset", "--version"), ("wrk", "-v"), ("nginx", "-v")):
        said = subprocess.run([tool(name), option], capture_output=True, text=True, check=False)
        number = re.search(r"\d+(?:\.\d+)+", said.stdout + said.stderr)  # wrk and nginx do not say it on one stream
        found.append(f"{name} {number[0] if number else 'of an unknown version'}")
    return found


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
