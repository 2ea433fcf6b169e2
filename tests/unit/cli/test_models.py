"""Going back to an earlier model: which one it is, and which one is refused."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from cli import models
from cli.deployment import Deployment

LINEAR, TREES = "linear-learner:1", "sagemaker-xgboost:3.0-5"


class Registry:
    """A registry and the history of what was served, as the clients tell them."""

    def __init__(self, images: dict[str, str], served: list[str]) -> None:
        self.settings = SimpleNamespace(project=SimpleNamespace(name="kdd99"))
        self.env = "test"
        self._images = images
        self._served = [f"s3://bucket/models/{key}/model.tar.gz" for key in served]

    def that_trains(self) -> Any:
        return self

    def client(self, _: str) -> Any:
        return self

    def get_paginator(self, operation: str) -> Any:
        pages = {
            "list_model_packages": [{"ModelPackageSummaryList": [{"ModelPackageArn": key} for key in self._images]}],
            "get_parameter_history": [{"Parameters": [{"Value": url} for url in self._served]}],
        }
        return SimpleNamespace(paginate=lambda **_: pages[operation])

    def get_parameters(self, Names: list[str]) -> Any:  # noqa: N803 - boto3's name
        return {"Parameters": [{"Value": self._served[-1]}]}

    def describe_model_package(self, ModelPackageName: str) -> Any:  # noqa: N803 - boto3's name
        url = f"s3://bucket/models/{ModelPackageName}/model.tar.gz"
        image = f"1.dkr.ecr.us-east-1.amazonaws.com/{self._images[ModelPackageName]}"
        return {
            "ModelPackageVersion": 1,
            "CreationTime": datetime.now(UTC),
            "CustomerMetadataProperties": {"key": ModelPackageName},
            "InferenceSpecification": {"Containers": [{"Image": image, "ModelDataUrl": url}]},
        }


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the models that the workflow was asked to promote."""
    asked: list[str] = []
    monkeypatch.setattr(models, "execute", lambda deployment, mode, run, show: asked.append(run["key"]))
    return asked


def registry(images: dict[str, str], served: list[str]) -> Deployment:
    return cast("Deployment", Registry(images, served))


def test_rollback_takes_what_was_served_before_and_once_more_takes_it_back(runs: list[str]) -> None:
    images = {"one": LINEAR, "two": LINEAR}
    assert models.roll_back(registry(images, ["one", "two"])) == "one"
    assert models.roll_back(registry(images, ["one", "two", "one"])) == "two"
    assert runs == ["one", "two"]


def test_rollback_without_an_earlier_model_is_refused(runs: list[str]) -> None:
    with pytest.raises(models.UnknownModelError, match="nothing to go back to"):
        models.roll_back(registry({"one": LINEAR}, ["one", "one"]))
    assert runs == []


def test_rollback_to_a_model_of_another_container_is_refused_with_what_to_do(runs: list[str]) -> None:
    with pytest.raises(models.UnknownModelError, match=f"made for {LINEAR}, and {TREES} is what serves: deploy"):
        models.roll_back(registry({"one": LINEAR, "two": TREES}, ["one", "two"]))
    assert runs == []


@pytest.mark.parametrize("output_format", ["text", "json"])
def test_list_shows_versions_and_which_is_served(monkeypatch: pytest.MonkeyPatch, output_format: str) -> None:
    found = registry({"old": LINEAR, "new": LINEAR}, ["new", "old"])
    monkeypatch.setattr(Deployment, "find", lambda _env: found)
    done = CliRunner().invoke(models.app, ["list", "--format", output_format])
    assert done.exit_code == 0, done.output
    if output_format == "json":
        served = {model["key"]: model["is_served"] for model in json.loads(done.stdout)["models"]}
        assert served == {"old": True, "new": False}
    else:
        (row,) = (line for line in done.stdout.splitlines() if "served" in line)
        assert "old" in row
