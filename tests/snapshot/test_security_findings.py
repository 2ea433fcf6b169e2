"""cdk-nag's AwsSolutions pack: no environment has a finding without a reason, and no choice of settings either."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks

from config.settings import Settings
from stacks.stage import add_stacks
from tests.feature_flags import FLAGS

DATASET = {"train": "s3://records/train.gz", "test": "s3://records/test.gz"}
DOMAIN = {"name": "api.example.org", "certificate_arn": "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b"}


def findings(assembly: Path) -> list[str]:
    """Every violation of a synthesized app, as rule and construct."""
    report = json.loads((assembly / "validation-report.json").read_text())
    return [
        f"{violation['ruleName']} {construct['constructPath']}"
        for plugin in report["pluginReports"]
        if plugin["pluginName"] == "AwsSolutions"
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]


@pytest.fixture
def app(tmp_path: Path) -> cdk.App:
    app = cdk.App(outdir=str(tmp_path / "cdk.out"), context=FLAGS)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def test_no_environment_has_a_finding(assembly: Path) -> None:
    assert findings(assembly) == []


@pytest.mark.parametrize(
    "groups",
    [
        {"api": {"auth": "cognito", "firewall": {}, "cors_origin": "https://example.org", "domain": DOMAIN}},
        {"api": {"auth": "api_key", "log_role": False}, "training": {"on_deploy": False}},
        {"project": {"name": "kdd99", "retain_data": False}, "network": {}, "notebook": {}},
        {"security": {"kms": False, "network_isolation": False}, "notebook": {}},
    ],
)
def test_no_choice_of_settings_has_a_finding(groups: dict[str, Any], app: cdk.App, tmp_path: Path) -> None:
    settings = Settings.model_validate({"project": {"name": "kdd99"}, "dataset": DATASET, **groups})
    add_stacks(app, env="test", settings=settings, root=tmp_path)
    app.synth()
    assert findings(tmp_path / "cdk.out") == []


def test_a_finding_without_a_reason_is_reported(app: cdk.App, tmp_path: Path) -> None:
    s3.Bucket(cdk.Stack(app, "Stack"), "Open")
    with pytest.raises(RuntimeError, match="AwsSolutions-S1"):
        app.synth()
    assert "AwsSolutions-S1 Stack/Open/Resource" in findings(tmp_path / "cdk.out")
