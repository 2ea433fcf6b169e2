"""What the command line asks AWS about a deployment, and how often."""

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from cli.deployment import Deployment, NotDeployedError
from config.settings import Settings

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


def test_stack_that_was_rolled_back_is_not_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    cloudformation = boto3.client("cloudformation", region_name="eu-west-1")
    monkeypatch.setattr(Deployment, "client", lambda *_: cloudformation)
    stack = {"StackName": "kdd99-dev-serving", "StackStatus": "ROLLBACK_COMPLETE", "CreationTime": "2026-01-05"}
    with Stubber(cloudformation) as stubber:
        stubber.add_response("describe_stacks", {"Stacks": [stack]})
        with pytest.raises(NotDeployedError, match="kdd99-dev-serving is ROLLBACK_COMPLETE and has no outputs"):
            Deployment("dev", SETTINGS, None).api_url("/invocations")
