"""`sagescale loadtest` against a deployed API, with each kind of caller that the API knows and with both scenarios."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from cli import load_generators
from cli.deployment import settings_of
from cli.main import app
from loadtest.report import Run
from tests.integration.load.conftest import Options, needs_jmeter
from tests.integration.operations.conftest import ROW, Operator

pytestmark = pytest.mark.verify
BOTH = pytest.mark.parametrize("scenario", ["locust", pytest.param("article", marks=needs_jmeter)])
USERS = 5


class Terminal:
    """Types the command, with the settings of what is deployed."""

    def __init__(self, operator: Operator, folder: Path, jmeter: Options, patch: pytest.MonkeyPatch) -> None:
        self.operator = operator
        self.folder = folder
        (folder / "rows.csv").write_bytes(ROW + b"\n4.0,5.0,6.0\n")
        (folder / "jmeter.yml").write_text(yaml.safe_dump(jmeter))
        patch.setenv("SAGESCALE_CONFIG_DIR", str(folder))

    def settings(self, auth: str, project: str = "kdd99") -> None:
        lines = ["[project]", f'name = "{project}"', "[model]", 'path = "good.tar.gz"', 'framework = "linear-learner"']
        (self.folder / "sandbox.toml").write_text("\n".join([*lines, "[api]", f'auth = "{auth}"']))

    def loadtest(self, scenario: str, *options: str) -> Result:
        common = ["--env", "sandbox", "--scenario", scenario, "--users", str(USERS), "--ramp", "2", "--hold", "6"]
        common += ["--directory", str(self.operator.runtime.directory), "--output", str(self.folder)]
        common += ["--bodies", str(self.folder / "rows.csv")]
        if scenario == "article":
            common += ["--jmeter", str(self.folder / "jmeter.yml")]
        return CliRunner().invoke(app, ["loadtest", *common, *options])

    def run(self, scenario: str) -> Run:
        return Run.load(self.folder / scenario / f"{scenario}.json")


@pytest.fixture
def terminal(
    operator: Operator, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    scenario = request.node.callspec.params.get("scenario") if hasattr(request.node, "callspec") else None
    jmeter = request.getfixturevalue("jmeter") if scenario == "article" else {}
    return Terminal(operator, tmp_path, jmeter, monkeypatch)


def deployed(operator: Operator, **groups: Any) -> None:
    done = operator.deploy_serving(**groups)
    assert done.returncode == 0, done.stdout + done.stderr


def words(result: Result) -> str:
    """Return what was printed, whatever the width of the terminal."""
    return " ".join(result.output.split())


@pytest.fixture(scope="module", params=["api_key", "iam"])
def auth(operator: Operator, request: pytest.FixtureRequest) -> str:
    """Who may call the API that is deployed."""
    deployed(operator, api={"auth": request.param})
    return str(request.param)


@BOTH
def test_deployed_api_is_driven_by_callers_it_knows(terminal: Terminal, auth: str, scenario: str) -> None:
    terminal.settings(auth)
    done = terminal.loadtest(scenario, "--min-rps", "5", "--format", "json")
    assert done.exit_code == 0, done.output
    run = terminal.run(scenario)
    said = json.loads(done.stdout)
    assert said["totals"] == {name: value["measured"] for name, value in run.totals.items()}
    assert (said["totals"]["verdict"], said["failures"]) == ("passed", [])
    assert run.statuses.keys() == {"200"}
    assert max(users for users in run.measured["users"] if users is not None) <= USERS
    assert run.measured["in_service"][-1] == 1.0  # CloudWatch's last minute was waited for
    seen = sum(each or 0.0 for each in run.measured["invocations_per_instance"])
    answered = sum(run.statuses.values())
    assert answered <= seen <= answered + USERS  # Locust leaves in the middle of a request


@BOTH
def test_callers_that_the_api_does_not_know_fail_the_test(
    terminal: Terminal, auth: str, scenario: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.settings(auth)
    monkeypatch.setattr(load_generators, "SECRET_ACCESS_KEY", "of-somebody-else")
    other = ["--header", "x-api-key: of-somebody-else"] if auth == "api_key" else []
    done = terminal.loadtest(scenario, *other)
    assert done.exit_code == 1, done.output
    assert "error share is 1, at most 0.01 is wanted" in words(done)
    assert "answered 403" in words(done)
    assert terminal.run(scenario).statuses.keys() == {"403"}


def test_users_of_a_pool_need_a_token(terminal: Terminal) -> None:
    terminal.settings("cognito")
    done = terminal.loadtest("locust")
    assert done.exit_code == 2
    assert "--header 'Authorization: <id token>'" in words(done)


def test_environment_that_is_not_deployed_is_no_failed_test(terminal: Terminal) -> None:
    terminal.settings("none", project="other")
    (terminal.folder / "locust").mkdir()
    (terminal.folder / "locust" / "report.html").write_text("of an earlier test")
    done = terminal.loadtest("locust")
    assert done.exit_code == 2
    assert "stack other-sandbox-serving does not exist: `make deploy ENV=sandbox`" in words(done)
    assert (terminal.folder / "locust" / "report.html").exists()


@BOTH
def test_model_that_cannot_score_what_is_sent_fails_the_test(
    terminal: Terminal, operator: Operator, scenario: str
) -> None:
    terminal.settings("none")
    deployed(operator, model=operator.save_model("narrow", features=2), api={"auth": "none"})
    done = terminal.loadtest(scenario)
    assert done.exit_code == 1, done.output
    assert "answered 424" in words(done)
    assert json.loads((terminal.folder / scenario / f"{scenario}.json").read_text())["totals"]["verdict"] == {
        "measured": "failed"
    }


def typed(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_loop_of_load_test_fit_plan_and_deploy_ends_in_the_planned_policy(
    terminal: Terminal, operator: Operator
) -> None:
    terminal.settings("none")
    deployed(operator, api={"auth": "none"})
    capacities, planned = terminal.folder / "capacities.toml", terminal.folder / "plan.toml"
    assert terminal.loadtest("locust", "--users", "40", "--ramp", "20", "--hold", "10").exit_code == 0
    history = terminal.folder / "locust" / "locust_stats_history.csv"
    typed("fit", history, "--interval", "2", "--output", capacities)
    workload = ["--workload", "spike:base=20000,peak=200000,begin=30,length=40,minutes=90", "--peak-instances", "4"]
    common: list[str | Path] = [
        "--capacities",
        capacities,
        "--candidates",
        "60",
        "--output",
        planned,
        "--env",
        "sandbox",
        "--write",
    ]
    chosen = json.loads(typed("plan", *workload, *common, "--format", "json"))["chosen"]["policy"]

    deployed(operator, **settings_of("sandbox").model_dump(exclude_unset=True))
    scaling = operator.runtime.client("application-autoscaling")
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (chosen["min_capacity"], chosen["max_capacity"])
    kinds = {"target_tracking": "TargetTrackingScaling", "step": "StepScaling"}
    found = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert sorted(each["PolicyType"] for each in found) == sorted(kinds[each["kind"]] for each in chosen["policies"])
    targets = [each.get("TargetTrackingScalingPolicyConfiguration", {}).get("TargetValue") for each in found]
    assert [each["target"] for each in chosen["policies"] if "target" in each] == [each for each in targets if each]
