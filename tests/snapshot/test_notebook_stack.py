"""The notebook instance: what it is, what it may do, and that it stops when nobody uses it."""

import json
from typing import Any

import aws_cdk as cdk
import pytest

from config.settings import Settings
from stacks.stage import add_stacks
from tests.feature_flags import UNVALIDATED


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("notebook")
    groups = {
        "project": {"name": "kdd99"},
        "dataset": {"train": "s3://records/train.gz", "test": "s3://records/test.gz"},
        "notebook": {"volume_size_gb": 30, "idle_stop_minutes": 45, "repository": "https://example.org/kdd99.git"},
    }
    app = cdk.App(outdir=str(folder / "cdk.out"), context=UNVALIDATED)
    add_stacks(app, env="test", settings=Settings.model_validate(groups), root=folder)
    found: dict[str, Any] = app.synth().get_stack_by_name("kdd99-test-notebook").template
    return found


def resources(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [item["Properties"] for item in template["Resources"].values() if item["Type"] == kind]


def test_notebook_instance_is_the_articles_with_the_repository_in_it(template: dict[str, Any]) -> None:
    (instance,) = resources(template, "AWS::SageMaker::NotebookInstance")
    assert (instance["InstanceType"], instance["VolumeSizeInGB"]) == ("ml.m4.xlarge", 30)
    assert instance["DefaultCodeRepository"] == "https://example.org/kdd99.git"
    assert instance["RootAccess"] == "Disabled"


def test_notebook_instance_stops_itself_when_idle(template: dict[str, Any]) -> None:
    (scripts,) = resources(template, "AWS::SageMaker::NotebookInstanceLifecycleConfig")
    text = json.dumps(scripts["OnStart"])
    assert "stop_when_idle.py 45" in text
    assert "stop-notebook-instance" in text


def test_notebook_may_touch_only_what_it_names_itself(template: dict[str, Any]) -> None:
    statements = [
        statement
        for policy in resources(template, "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    for statement in statements:
        text = json.dumps(statement)
        if "sagemaker:Create" in text or "s3:PutObject" in text:
            assert "kdd99-notebook-*" in text
