"""What the templates make of algorithms by name and of scripts: images, channels, hyperparameters, states."""

import json
import os
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from config.script import Script
from config.settings import Settings
from stacks.constructs.training_script import TrainingScript
from stacks.stage import add_stacks
from tests.feature_flags import UNVALIDATED
from training.schema import FEATURE_DIM

DATASET = {"train": "s3://records/train/", "test": "s3://records/test.gz"}
XGBOOST = {"algorithm": "xgboost", "hyperparameters": {"num_round": 50}}
KMEANS = {"algorithm": "kmeans", "hyperparameters": {"k": 10, "mini_batch_size": 500}}
PCA = {"algorithm": "pca", "hyperparameters": {"num_components": 3, "mini_batch_size": 500, "subtract_mean": True}}
SCRIPT = "def model_fn(model_dir):\n    return model_dir\n"
Templates = dict[str, Any]
Synthesized = dict[str, Templates]


def script(framework: str, version: str) -> dict[str, Any]:
    return {
        "hyperparameters": {"c": 0.5, "penalty": "l2"},
        "script": {
            "framework": framework,
            "version": version,
            "entry_point": "fit.py",
            "metrics": {"validation:auc": r"auc=(\S+)"},
        },
    }


CASES = {
    "xgboost": XGBOOST,
    "kmeans": KMEANS,
    "pca": PCA,
    "sklearn-script": script("scikit-learn", "1.9-0"),
    "xgboost-script": script("xgboost", "3.2-0"),
    "pytorch-script": script("pytorch", "2.6.0"),
}


def add(app: cdk.App, project: str, training: dict[str, Any], root: Path) -> None:
    groups = {"project": {"name": project}, "dataset": DATASET, "training": training}
    add_stacks(app, env="test", settings=Settings.model_validate(groups), root=root)


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Templates]:
    """The templates of every case, by stack: one synth."""
    root = tmp_path_factory.mktemp("algorithms")
    (root / "fit.py").write_text(SCRIPT)
    app = cdk.App(outdir=str(root / "cdk.out"), context=UNVALIDATED)
    for project, training in CASES.items():
        add(app, project, training, root)
    assembly = app.synth()
    return {
        project: {
            thing: assembly.get_stack_by_name(f"{project}-test-{thing}").template for thing in ("training", "serving")
        }
        for project in CASES
    }


def resources(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [item["Properties"] for item in template["Resources"].values() if item["Type"] == kind]


def joined(value: Any) -> str:
    """Return a string of the template with every token as TOKEN."""
    parts = value["Fn::Join"][1] if isinstance(value, dict) else [value]
    return "".join(part if isinstance(part, str) else "TOKEN" for part in parts)


def states(templates: dict[str, Any]) -> dict[str, Any]:
    (machine,) = resources(templates["training"], "AWS::StepFunctions::StateMachine")
    found: dict[str, Any] = json.loads(joined(machine["DefinitionString"]))["States"]
    return found


def run_of(templates: dict[str, Any]) -> dict[str, Any]:
    (text,) = [
        item["Value"]
        for item in resources(templates["training"], "AWS::SSM::Parameter")
        if "training/run" in item["Name"]
    ]
    run: dict[str, Any] = json.loads(joined(text))
    return run


def container(templates: dict[str, Any]) -> dict[str, Any]:
    (model,) = resources(templates["serving"], "AWS::SageMaker::Model")
    found: dict[str, Any] = model["PrimaryContainer"]
    return found


def paths(templates: dict[str, Any]) -> set[str]:
    return {item["PathPart"] for item in resources(templates["serving"], "AWS::ApiGateway::Resource")}


def test_xgboost_trains_on_csv_and_is_evaluated_in_its_own_image(synthesized: Synthesized) -> None:
    templates = synthesized["xgboost"]
    found = states(templates)
    job = found["Train"]["Parameters"]
    assert job["AlgorithmSpecification"]["TrainingImage"].endswith("/sagemaker-xgboost:3.0-5")
    assert {channel["ChannelName"]: channel["ContentType"] for channel in job["InputDataConfig"]} == {
        "train": "text/csv",
        "validation": "text/csv",
    }
    arguments = found["Preprocess"]["Parameters"]["AppSpecification"]["ContainerArguments"]
    assert arguments[-2:] == ["--content-type", "text/csv"]
    evaluation = found["Evaluate"]["Parameters"]["AppSpecification"]
    assert evaluation["ImageUri"].endswith("/sagemaker-xgboost:3.0-5")
    assert run_of(templates)["hyperparameters"] == {"num_round": "50", "objective": "binary:logistic"}
    assert joined(container(templates)["Image"]).endswith("/sagemaker-xgboost:3.0-5")
    assert paths(templates) == {"invocations", "predictions"}


@pytest.mark.parametrize(
    ("project", "image", "hyperparameters"),
    [
        ("kmeans", "/kmeans:1", {"feature_dim": str(FEATURE_DIM), "k": "10", "mini_batch_size": "500"}),
        (
            "pca",
            "/pca:1",
            {"feature_dim": str(FEATURE_DIM), "mini_batch_size": "500", "num_components": "3", "subtract_mean": "true"},
        ),
    ],
)
def test_algorithms_without_labels_read_unlabelled_rows_and_pass_no_gate(
    synthesized: Synthesized, project: str, image: str, hyperparameters: dict[str, str]
) -> None:
    templates = synthesized[project]
    found = states(templates)
    job = found["Train"]["Parameters"]
    assert job["AlgorithmSpecification"]["TrainingImage"].endswith(image)
    assert [(channel["ChannelName"], channel["ContentType"]) for channel in job["InputDataConfig"]] == [
        ("train", "text/csv;label_size=0")
    ]
    assert run_of(templates)["hyperparameters"] == hyperparameters
    assert not {"Evaluate", "ReadEvaluation", "Gate", "CopyEvaluation", "ReadServedEvaluation"} & set(found)
    assert (found["Train"]["Next"], found["TakeNewModel"]["Next"]) == ("TakeNewModel", "IsItNew")
    # without an evaluation the model itself says that a run was approved
    assert found["FindApprovedModel"]["Parameters"]["Prefix.$"].startswith("States.Format('models/{}/model.tar.gz'")
    assert "ModelMetrics" not in found["Register"]["Parameters"]
    assert joined(container(templates)["Image"]).endswith(image)
    assert paths(templates) == {"invocations"}  # there are no labels to answer with


@pytest.mark.parametrize(
    ("project", "framework", "trained_in", "served_in"),
    [
        (
            "sklearn-script",
            "scikit-learn",
            "/sagemaker-scikit-learn:1.9-0-cpu-py3",
            "/sagemaker-scikit-learn:1.9-0-cpu-py3",
        ),
        ("xgboost-script", "xgboost", "/sagemaker-xgboost:3.2-0", "/sagemaker-xgboost:3.2-0"),
        ("pytorch-script", "pytorch", "/pytorch-training:2.6.0-cpu-py312", "/pytorch-inference:2.6.0-cpu-py312"),
    ],
)
def test_script_trains_is_evaluated_and_serves_in_its_frameworks_images(
    synthesized: Synthesized, project: str, framework: str, trained_in: str, served_in: str
) -> None:
    templates = synthesized[project]
    found = states(templates)
    job = found["Train"]["Parameters"]["AlgorithmSpecification"]
    assert job["TrainingImage"].endswith(trained_in)
    assert job["MetricDefinitions"] == [{"Name": "validation:auc", "Regex": r"auc=(\S+)"}]
    evaluation = found["Evaluate"]["Parameters"]
    assert evaluation["AppSpecification"]["ImageUri"].endswith(trained_in)
    arguments = evaluation["AppSpecification"]["ContainerArguments"]
    assert arguments[-4:] == ["--entry-point", "fit.py", "--framework", framework]
    assert {item["InputName"] for item in evaluation["ProcessingInputs"]} == {"code", "model", "test", "source"}
    # what was evaluated is what is served: the archive with the script in it
    assert "/packed/model.tar.gz'" in found["CopyModel"]["Parameters"]["CopySource.$"]
    served = container(templates)
    assert joined(served["Image"]).endswith(served_in)
    assert served["Environment"] == {
        "SAGEMAKER_PROGRAM": "fit.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    }


def test_script_is_named_in_hyperparameters_that_are_json_as_the_sdk_sets_them(
    synthesized: Synthesized,
) -> None:
    given = run_of(synthesized["sklearn-script"])["hyperparameters"]
    decoded = {name: json.loads(value) for name, value in given.items()}
    assert decoded.pop("sagemaker_submit_directory")  # a token: the asset's URI
    assert decoded == {
        "c": 0.5,
        "penalty": "l2",
        "sagemaker_container_log_level": 20,
        "sagemaker_program": "fit.py",
        "sagemaker_region": "TOKEN",
    }


@pytest.mark.parametrize(
    ("change", "text", "reason"),
    [
        ({"version": "1.8-0"}, SCRIPT, "AWS has no scikit-learn image of version '1.8-0'; it has 1.0-1"),
        ({"entry_point": "other.py"}, SCRIPT, "entry_point = 'other.py': there is no such file below"),
        ({"source_dir": "model"}, SCRIPT, "source_dir = 'model': there is no such folder below"),
        ({}, "def train():\n    pass\n", r"has no model_fn\(model_dir\)"),
        ({}, "def train(:\n", "is no Python: invalid syntax"),
    ],
)
def test_script_that_could_not_be_served_is_refused_at_synth(
    tmp_path: Path, change: dict[str, str], text: str, reason: str
) -> None:
    training = script("scikit-learn", "1.9-0")
    (tmp_path / "fit.py").write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=reason):
        add(cdk.App(), "refused", {**training, "script": {**training["script"], **change}}, tmp_path)


def test_scripts_source_has_the_same_bytes_whenever_it_is_packed(tmp_path: Path) -> None:
    def key() -> str:
        app = cdk.App()
        source = TrainingScript(
            cdk.Stack(app), "Script", script=Script(**script("xgboost", "3.2-0")["script"]), root=tmp_path
        )
        return str(source.asset.asset_hash)

    (tmp_path / "fit.py").write_text(SCRIPT)
    first = key()
    os.utime(tmp_path / "fit.py", (0, 0))
    assert key() == first
    (tmp_path / "fit.py").write_text(SCRIPT + "# another\n")
    assert key() != first
