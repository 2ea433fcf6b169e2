import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from autoscaling.capacity_text import parse_capacities
from autoscaling.workload import constant, staged
from cli.load_generators import Credentials, Load, taurus_config
from cli.load_generators import Test as LoadTest
from cli.main import app
from loadtest.report import Run

KEYS = Credentials("AKIDEXAMPLE", "secret", None, "eu-west-1")


@pytest.fixture
def saved_run(tmp_path: Path) -> Path:
    """A saved run of 40 minutes: 1,000 users, 500 requests/s an instance, 1 s outside it."""
    users = np.concatenate([np.linspace(25, 1000, 20), np.full(20, 1000.0)])
    measured = {
        "users": users.tolist(),
        "requests_per_second": np.minimum(users, 500.0).tolist(),
        "in_service": [1.0] * 40,
    }
    Run(name="x", summary="", measured=measured).save(tmp_path / "x.json")
    return tmp_path / "x.json"


def test_fit_writes_what_simulate_and_plan_read_and_keeps_other_types(saved_run: Path, tmp_path: Path) -> None:
    output = tmp_path / "capacities.toml"
    output.write_text('["ml.c5.large"]\nmax_rps = 410.0\nworkers = 2\n', encoding="utf-8")
    done = CliRunner().invoke(app, ["fit", str(saved_run), "--output", str(output), "--format", "json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["max_rps"]["value"] == pytest.approx(500.0)
    capacities = parse_capacities(output.read_text(encoding="utf-8"))
    assert capacities["ml.c5.large"].max_rps == 410.0
    assert capacities["ml.m4.xlarge"].max_rps == pytest.approx(500.0)
    assert capacities["ml.m4.xlarge"].unloaded_seconds == pytest.approx(1.0)


def test_fit_of_a_file_without_results_says_why_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kpi.jtl"
    path.write_text("timeStamp,elapsed,responseCode,success\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["fit", str(path), "--output", str(tmp_path / "out.toml")])
    assert done.exit_code == 2
    assert "no samples" in done.output
    assert not (tmp_path / "out.toml").exists()


@pytest.mark.parametrize("credentials", [None, KEYS])
def test_committed_scenario_is_filled_in(tmp_path: Path, credentials: Credentials | None) -> None:
    test = LoadTest(
        url="https://api.example/v1/invocations",
        headers={"x-api-key": "key"},
        records=[b"1,2", b"3,4"],
        load=Load.ramp_and_hold(1000, 600, 600),
        credentials=credentials,
        folder=tmp_path,
    )
    config = taurus_config(test, ramp_seconds=600, hold_seconds=600, jmeter={"path": "/opt/jmeter"})
    assert config["execution"] == [
        {"executor": "jmeter", "scenario": "article", "concurrency": 1000, "ramp-up": "600s", "hold-for": "600s"}
    ]
    (request,) = config["scenarios"]["article"]["requests"]
    assert request["url"] == test.url
    assert request["headers"] == {"Content-Type": "text/csv", "x-api-key": "key"}
    assert (tmp_path / "records.tsv").read_bytes() == b"1,2\n3,4\n"
    assert ("jsr223" in request) == (credentials is not None)
    assert ("properties" in config["modules"]["jmeter"]) == (credentials is not None)


def test_loads_follow_their_workloads() -> None:
    ramp = Load.ramp_and_hold(10, 5, 3)
    assert ramp.users == (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 10.0, 10.0, 10.0)
    closed = Load.of(staged([(100, 2)], think_time_seconds=0.5))
    assert (closed.users, closed.step_seconds, closed.think_seconds) == ((0.0, 50.0, 100.0), 60.0, 0.5)
    open_loop = Load.of(constant(600.0, 2))
    assert (open_loop.users, open_loop.paced) == ((10.0, 10.0, 10.0), True)


def test_workload_is_for_locust_only() -> None:
    done = CliRunner().invoke(app, ["loadtest", "--env", "sandbox", "--workload", "article"])
    assert done.exit_code == 2
    assert "--workload is for --scenario locust" in done.output


@pytest.mark.parametrize(
    "command", [["loadtest"], ["experiment", "plans", "x.csv"], ["experiment", "elasticity", "x.csv"], ["smoke"]]
)
def test_unknown_environment_is_refused_with_those_that_exist(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--env", "nowhere"])
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code in {1, 2}
    assert "dev, prod, sandbox" in " ".join(done.output.split())
