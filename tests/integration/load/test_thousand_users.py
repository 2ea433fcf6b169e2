"""The article's thousand users for ten minutes, against the API in the sandbox, on the machine that drives them."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from loadtest.closed_loop_client import drive
from sandbox import live
from sandbox.runtime import Runtime
from sandbox.scaler.conditions import Conditions
from tests.integration.scaling.conftest import Scalable

USERS, RAMP_SECONDS = 1000, 30.0
SECONDS = float(os.environ.get("SAGESCALE_THOUSAND_USERS_SECONDS", "600"))  # the article's; less for a quick look
ARTICLE_PLATEAU_RPS = 1200
BODY = b"1.0,2.0,3.0"
TICKS = os.sysconf("SC_CLK_TCK")

pytestmark = pytest.mark.verify


def pids_of(runtime: Runtime) -> list[int]:
    """Return the data plane's process and the model servers'."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text()
        except OSError:
            continue
        if (f"--port\0{runtime.dataplane_port}" in command and "sandbox.dataplane" in command) or str(
            runtime.directory / "endpoints"
        ) in command:
            found.append(int(folder.name))
    return found


def resident_mib(pids: list[int]) -> float:
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in pids) / 2**20


def cpu_seconds(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def test_thousand_users_for_ten_minutes_lose_no_request(scalable: Scalable, capsys: pytest.CaptureFixture[str]) -> None:
    live.set_conditions(scalable.runtime, Conditions())
    url, pids = scalable.api_url(), pids_of(scalable.runtime)
    memory: list[float] = []
    assert len(pids) >= 2
    before, begin = cpu_seconds(pids), time.monotonic()

    def watch(second: float) -> None:
        if second > 60 and round(second) % 10 == 0:
            memory.append(resident_mib(pids))

    burst = drive(
        url,
        [BODY],
        content_type="text/csv",
        connections=USERS,
        seconds=SECONDS,
        ramp_seconds=RAMP_SECONDS,
        on_second=watch,
    )
    cores = (cpu_seconds(pids) - before) / (time.monotonic() - begin)
    with capsys.disabled():
        print(  # noqa: T201 - the figure is what the test is for
            f"\n{USERS} users, {burst.seconds:.0f} s: {len(burst.codes):,} requests, {burst.failed} failed, "
            f"{burst.requests_per_second:,.0f} requests/s on {cores:.2f} cores of the sandbox "
            f"({burst.requests_per_second / cores:,.0f} a core), p50 {burst.percentile_ms(50):.0f} ms, "
            f"p99 {burst.percentile_ms(99):.0f} ms, memory {memory[0]:.0f} to {max(memory):.0f} MiB"
        )
    assert burst.failed == 0, burst.statuses
    assert burst.requests_per_second > ARTICLE_PLATEAU_RPS
    assert max(memory) < 1.1 * memory[0] + 10.0  # MiB


@pytest.mark.skipif(shutil.which("wrk") is None, reason="needs wrk: apt-get install wrk")
def test_thousand_connections_of_wrk_stay_above_the_articles_plateau(
    scalable: Scalable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "post.lua"
    script.write_text(f'wrk.method = "POST"\nwrk.body = "{BODY.decode()}"\nwrk.headers["Content-Type"] = "text/csv"\n')
    command = [
        "wrk",
        "-t1",
        f"-c{USERS}",
        "-d30s",
        "--timeout",
        "30s",
        "--latency",
        "-s",
        str(script),
        scalable.api_url(),
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    with capsys.disabled():
        print("\n" + told)  # noqa: T201 - the figure to compare with
    assert "Non-2xx" not in told
    assert "Socket errors" not in told
    rate = float(told.partition("Requests/sec:")[2].split()[0])
    assert rate > ARTICLE_PLATEAU_RPS
