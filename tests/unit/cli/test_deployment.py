"""What the command line asks AWS about a deployment, and how often."""

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from cli.deployment import Deployment, NotDeployedError
from cli.main import app
from config.settings import Settings
from sandbox import launch
from sandbox.runtime import Runtime

SETTINGS = Settings.model_validate(
    {
        "project": {"name": "kdd99", "region": "eu-west-1"},
        "dataset": {"train": "s3://records/train.gz", "test": "s3://records/test.gz"},
        "api": {"auth": "none"},
    }
)


def test_a_load_asks_cloudformation_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def outputs(_: Deployment, stack: str) -> dict[str, Any]:
        asked.append(stack)
        return {"ApiUrl": "https://a1b2.execute-api.eu-west-1.amazonaws.com/v1/"}

    monkeypatch.setattr(Deployment, "outputs", outputs)
    deployment = Deployment("dev", SETTINGS, None)
    urls = {deployment.api_url(path) for path in ("/predictions", "/predictions", "/invocations")}
    host = "https://a1b2.execute-api.eu-west-1.amazonaws.com/v1"
    assert urls == {f"{host}/predictions", f"{host}/invocations"}
    assert asked == ["serving"]


def test_clients_are_of_the_region_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert Deployment("dev", SETTINGS, None).client("sagemaker").meta.region_name == "eu-west-1"


@pytest.mark.parametrize(("pointed", "found"), [("http://127.0.0.1:5000", True), ("http://127.0.0.1:6000", False)])
def test_shell_pointed_at_the_sandbox_finds_every_environment_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pointed: str, found: bool
) -> None:
    runtime = Runtime(directory=tmp_path, port=5000, dataplane_port=5001)
    monkeypatch.setattr(launch, "running", lambda _: runtime)
    monkeypatch.setenv("AWS_ENDPOINT_URL", pointed)
    assert Deployment.find("dev").runtime == (runtime if found else None)
    assert Deployment.find("sandbox").runtime == runtime


def without_a_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


def test_clients_are_of_the_region_that_the_cdk_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_a_region(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert Deployment.find("dev").client("sagemaker").meta.region_name == "eu-central-1"


@pytest.mark.parametrize("command", ["train", "wake", "models list", "models rollback", "predict", "smoke", "doctor"])
def test_commands_say_that_there_is_no_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str) -> None:
    without_a_region(monkeypatch, tmp_path)
    done = CliRunner().invoke(app, command.split(), input="{}")
    assert done.exit_code == 1, done.output
    assert "no region: set AWS_REGION" in done.output


def test_stack_that_is_not_there_is_to_be_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    cloudformation = boto3.client("cloudformation", region_name="eu-west-1")
    monkeypatch.setattr(Deployment, "client", lambda *_: cloudformation)
    with Stubber(cloudformation) as stubber:
        stubber.add_client_error("describe_stacks", "ValidationError", "Stack with id kdd99-dev-serving does not exist")
        with pytest.raises(NotDeployedError, match=r"^stack kdd99-dev-serving does not exist: `make deploy ENV=dev`$"):
            Deployment("dev", SETTINGS, None).api_url("/invocations")


def test_stack_that_was_rolled_back_is_not_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    cloudformation = boto3.client("cloudformation", region_name="eu-west-1")
    monkeypatch.setattr(Deployment, "client", lambda *_: cloudformation)
    stack = {"StackName": "kdd99-dev-serving", "StackStatus": "ROLLBACK_COMPLETE", "CreationTime": "2026-01-05"}
    with Stubber(cloudformation) as stubber:
        stubber.add_response("describe_stacks", {"Stacks": [stack]})
        with pytest.raises(NotDeployedError, match="kdd99-dev-serving is ROLLBACK_COMPLETE and has no outputs"):
            Deployment("dev", SETTINGS, None).api_url("/invocations")
