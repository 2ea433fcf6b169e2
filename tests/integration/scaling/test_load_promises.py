"""What must not happen under load, and what must not be hidden."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loadtest.closed_loop_client import BROKEN, Burst, drive
from loadtest.fit import fit
from loadtest.measurements import measure
from loadtest.results import Samples
from sandbox import launch, live
from sandbox.scaler.conditions import Conditions
from tests.integration.scaling.conftest import ENDPOINT, Scalable

BODY = b"1.0,2.0,3.0"


@pytest.fixture(autouse=True)
def unlimited(scalable: Scalable) -> None:
    """No limit, no policy that would interfere."""
    live.set_conditions(scalable.runtime, Conditions())
    targets = scalable.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    for target in targets:
        names = ("ServiceNamespace", "ScalableDimension", "ResourceId")
        scalable.scaling.deregister_scalable_target(**{name: target[name] for name in names})


def during(act: Callable[[], None], *, url: str) -> Burst:
    """Run `act` under load that begins a second before and ends a second after it; return what the load saw."""
    over = threading.Event()

    def act_and_end() -> None:
        try:
            act()
            time.sleep(1.0)
        finally:
            over.set()

    timer = threading.Timer(1.0, act_and_end)
    timer.start()
    try:
        return drive(url, [BODY], content_type="text/csv", connections=50, seconds=120.0, think_seconds=0.02, stop=over)
    finally:
        timer.join()


def two_servers(scalable: Scalable) -> list[int]:
    """Return the model servers' processes once there are two."""
    scalable.wait_for(lambda: len(scalable.server_pids()) == 2)
    return scalable.server_pids()


def test_killed_instance_loses_no_request_and_is_replaced(scalable: Scalable) -> None:
    scalable.scale_to(2)
    victim = min(two_servers(scalable))

    def kill_and_wait_for_another() -> None:
        os.kill(victim, signal.SIGKILL)
        scalable.wait_for(lambda: victim not in scalable.server_pids())
        two_servers(scalable)

    burst = during(kill_and_wait_for_another, url=scalable.api_url())
    assert burst.failed == 0, burst.statuses
    assert len(burst.codes) > 1000
    assert victim not in two_servers(scalable)


def test_deploy_of_a_new_model_under_load_loses_no_request(scalable: Scalable) -> None:
    config = scalable.serve("second", [[-1.0]] * 3)

    def update() -> None:
        scalable.sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=config)
        scalable.in_service()

    burst = during(update, url=scalable.api_url())
    assert burst.failed == 0, burst.statuses
    assert len(burst.codes) > 1000
    assert scalable.sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"] == config


def test_killed_data_plane_is_reported_not_hidden(tmp_path: Path) -> None:
    runtime = launch.start(tmp_path / "sandbox", owner_pid=os.getpid())
    try:
        assert launch.status(runtime)["dataplane_exit_code"] is None
        (pid,) = [
            int(folder.name)
            for folder in Path("/proc").glob("[0-9]*")
            if f"sandbox.dataplane\0--port\0{runtime.dataplane_port}" in _command(folder)
        ]
        url = f"{runtime.dataplane_url}/endpoints/none/invocations"
        kill = threading.Timer(0.5, os.kill, (pid, signal.SIGKILL))
        kill.start()
        burst = drive(url, [BODY], content_type="text/csv", connections=4, seconds=1.5)
        kill.join()
        assert burst.statuses[BROKEN] > 0
        assert burst.failed == len(burst.codes)
        assert launch.status(runtime)["dataplane_exit_code"] == -signal.SIGKILL
        log = runtime.directory / "logs" / "server.log"
        deadline = time.monotonic() + 30
        while "the data plane ended with code -9" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
    finally:
        launch.stop(runtime.directory)


def _command(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_text()
    except OSError:
        return ""


def test_fit_recovers_the_capacity_of_a_sandbox_run_within_ten_percent(scalable: Scalable) -> None:
    scalable.scale_to(1)
    live.set_conditions(scalable.runtime, Conditions(instance_max_rps=100.0))
    users, ramp, think = 60, 8.0, 0.3
    burst = drive(
        scalable.api_url(),
        [BODY],
        content_type="text/csv",
        connections=users,
        seconds=12.0,
        ramp_seconds=ramp,
        think_seconds=think,
    )
    active = users * np.minimum(burst.finished / ramp, 1.0)
    samples = Samples(burst.finished, burst.latencies_ms, burst.codes, active)
    found = fit(measure(samples, interval_seconds=0.5), think_seconds=think)
    assert found.max_rps is not None
    assert found.max_rps.value == pytest.approx(100.0, rel=0.1)
    assert found.max_rps.high - found.max_rps.low < 20.0
    assert found.outside_seconds is not None
    assert found.outside_seconds.value < 0.1 * think  # nothing is outside but this machine's loopback
