"""The doctor against an AWS of moto's: an account that is ready, and one where each thing is missing."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.loaders import create_loader
from moto import mock_aws
from typer.testing import CliRunner

from cli import checks, doctor
from cli.checks import BOOTSTRAP_PARAMETER, SCALING_ROLE, Finding, Status, examine
from cli.deployment import Deployment
from cli.fleet import wanted_instances
from cli.main import app
from config.settings import Settings

DATASET = {"train": "s3://records/train.gz", "test": "s3://records/test.gz"}
QUOTAS = {
    "ml.m4.xlarge for endpoint usage": 20.0,
    "ml.c4.xlarge for training job usage": 1.0,
    "ml.m5.xlarge for processing job usage": 1.0,
}


def settings(**groups: Any) -> Settings:
    return Settings.model_validate({"project": {"name": "kdd99"}, "dataset": DATASET, **groups})


@pytest.fixture(scope="module", autouse=True)
def one_loader() -> Iterator[None]:
    """Read botocore's descriptions of services once: moto begins a new session with every test."""
    loader = create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda *_: loader)
        yield


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account in which everything is as it should be."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # hundreds, which nobody here asks for
    with mock_aws():
        boto3.client("ssm").put_parameter(Name=BOOTSTRAP_PARAMETER, Value="30", Type="String")
        boto3.client("iam").create_role(RoleName=SCALING_ROLE, AssumeRolePolicyDocument="{}")
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="records")
        for key in ("train.gz", "test.gz"):
            s3.put_object(Bucket="records", Key=key, Body=b"x")
        yield


@pytest.fixture
def quotas(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """SageMaker's quotas, which moto does not know: the applied ones overrule the defaults."""
    applied = dict(QUOTAS)
    defaults = {**dict.fromkeys(QUOTAS, 0.0), "ml.p3.2xlarge for endpoint usage": 0.0}
    listed = {"list_aws_default_service_quotas": defaults, "list_service_quotas": applied}

    def paginator(call: str) -> SimpleNamespace:
        pages = [{"Quotas": [{"QuotaName": name, "Value": value}]} for name, value in listed[call].items()]
        return SimpleNamespace(paginate=lambda **_: pages)

    make = Deployment.client

    def client(self: Deployment, service: str) -> Any:
        return SimpleNamespace(get_paginator=paginator) if service == "service-quotas" else make(self, service)

    monkeypatch.setattr(Deployment, "client", client)
    return applied


def findings(**groups: Any) -> list[Finding]:
    return list(examine(Deployment("dev", settings(**groups), None)))


def problems(**groups: Any) -> list[str]:
    return [finding.what for finding in findings(**groups) if finding.status is Status.PROBLEM]


@pytest.mark.usefixtures("account", "quotas")
def test_all_is_well_in_an_account_that_is_ready() -> None:
    found = findings()
    assert {finding.status for finding in found} == {Status.OK}, found
    assert len(found) == 14


@pytest.mark.usefixtures("account", "quotas")
@pytest.mark.parametrize(
    ("groups", "problem"),
    [
        ({"project": {"name": "kdd99", "account": "111111111111"}}, "credentials are of account 123456789012"),
        ({"endpoint": {"variants": [{"instance_type": "ml.q9.large"}]}}, "instance type ml.q9.large: not offered"),
        ({"dataset": {**DATASET, "test": "s3://records/none.gz"}}, "records: there is no s3://records/none.gz"),
        ({"dataset": {**DATASET, "test": "data/none.gz"}}, "records: there is no data/none.gz"),
        ({"api": {"log_role": False}}, "API Gateway has no role to write logs with"),
    ],
)
def test_what_settings_ask_for_in_vain_is_a_problem(groups: dict[str, Any], problem: str) -> None:
    assert any(line.startswith(problem) for line in problems(**groups)), problems(**groups)


@pytest.mark.usefixtures("account")
def test_a_quota_below_twice_the_fleet_is_a_problem(quotas: dict[str, float]) -> None:
    quotas["ml.m4.xlarge for endpoint usage"] = 19.0
    assert problems() == ["quota ml.m4.xlarge for endpoint usage: 19, 20 are wanted"]


@pytest.mark.usefixtures("quotas")
def test_missing_bootstrap_is_a_problem_with_its_command(account: None) -> None:
    boto3.client("ssm").delete_parameter(Name=BOOTSTRAP_PARAMETER)
    (finding,) = [each for each in findings() if each.status is Status.PROBLEM]
    assert finding.advice == "make bootstrap ENV=dev"
    boto3.client("ssm").put_parameter(Name=BOOTSTRAP_PARAMETER, Value="5", Type="String")
    assert problems() == ["CDK bootstrap: version 5, 6 or later is needed"]


@pytest.mark.usefixtures("quotas")
def test_missing_service_linked_role_is_said_with_its_command(account: None) -> None:
    boto3.client("iam").delete_role(RoleName=SCALING_ROLE)
    (finding,) = [each for each in findings() if each.status is not Status.OK]
    assert finding.status is Status.UNKNOWN
    assert "aws iam create-service-linked-role" in finding.advice


@pytest.mark.usefixtures("account", "quotas")
def test_an_account_that_logs_with_another_role_is_a_problem() -> None:
    role = "arn:aws:iam::123456789012:role/other"
    operations = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}]
    boto3.client("apigateway").update_account(patchOperations=operations)
    assert problems() == [f"API Gateway logs with {role} already"]


@pytest.mark.usefixtures("account", "quotas")
def test_docker_is_asked_for_only_where_an_image_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CDK_DOCKER", str(tmp_path / "none"))
    assert problems() == []
    (problem,) = problems(endpoint={"container": "fast"})
    assert "No such file" in problem


def test_without_credentials_nothing_more_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    (finding,) = findings()
    assert finding.status is Status.PROBLEM
    assert "aws sso login" in finding.advice


def test_what_a_service_refuses_to_say_is_unknown(monkeypatch: pytest.MonkeyPatch, account: None) -> None:
    monkeypatch.setattr(checks, "CHECKS", (checks.check_quotas,))
    unknown = [finding for finding in findings() if finding.status is Status.UNKNOWN]
    assert len(unknown) == 1
    assert unknown[0].what.startswith("quotas: ")


def test_jobs_and_notebook_count_beside_the_fleet() -> None:
    tuning = {"max_jobs": 8, "max_parallel_jobs": 4, "continuous": {"wd": {"min": 0.0001, "max": 1}}}
    groups: dict[str, Any] = {
        "training": {"on_deploy": False, "instance_count": 2, "tuning": tuning},
        "notebook": {},
        "scaling": {"min_capacity": 1, "max_capacity": 4},
    }
    assert wanted_instances(settings(**groups)) == {
        "ml.m4.xlarge for endpoint usage": 8,
        "ml.c4.xlarge for training job usage": 8,
        "ml.m5.xlarge for processing job usage": 1,
        "ml.m4.xlarge for notebook instance usage": 1,
    }


@pytest.mark.parametrize("output_format", ["text", "json"])
def test_command_says_what_is_wrong_and_ends_with_1(monkeypatch: pytest.MonkeyPatch, output_format: str) -> None:
    told = [Finding(Status.OK, "all of this"), Finding(Status.PROBLEM, "none of that", "do it")]
    monkeypatch.setattr(doctor, "examine", lambda _deployment: iter(told))
    monkeypatch.setattr(Deployment, "find", lambda _env: None)
    done = CliRunner().invoke(app, ["doctor", "--format", output_format])
    assert done.exit_code == 1
    if output_format == "json":
        assert json.loads(done.stdout)["findings"][1] == {
            "status": "problem",
            "what": "none of that",
            "advice": "do it",
        }
    else:
        assert done.stdout.split() == ["ok", "all", "of", "this", "problem", "none", "of", "that", "do", "it"]
