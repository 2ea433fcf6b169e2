"""What the training stack makes of the settings that tune and retrain."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from config.settings import Settings
from stacks.stage import add_stacks
from tests.feature_flags import UNVALIDATED

DATASET = {"train": "s3://records/train/", "test": "s3://records/test.gz"}
TUNING = {
    "strategy": "random",
    "goal": "minimize",
    "objective": "validation:objective_loss",
    "max_jobs": 6,
    "max_parallel_jobs": 3,
    "early_stopping": True,
    "continuous": {"learning_rate": {"min": 0.001, "max": 0.1, "scale": "logarithmic"}},
    "integer": {"mini_batch_size": {"min": 100, "max": 5000}},
    "categorical": {"optimizer": ["adam", "sgd"]},
}
Synthesize = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def synthesize(tmp_path: Path) -> Synthesize:
    """Return the training stack's template for a [training] group."""

    def run(training: dict[str, Any]) -> dict[str, Any]:
        groups = {"project": {"name": "kdd99"}, "dataset": DATASET, "training": training}
        app = cdk.App(outdir=str(tmp_path / "cdk.out"), context=UNVALIDATED)
        add_stacks(app, env="test", settings=Settings.model_validate(groups), root=tmp_path)
        template: dict[str, Any] = app.synth().get_stack_by_name("kdd99-test-training").template
        return template

    return run


def resources(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [item["Properties"] for item in template["Resources"].values() if item["Type"] == kind]


def states(template: dict[str, Any]) -> dict[str, Any]:
    (machine,) = resources(template, "AWS::StepFunctions::StateMachine")
    parts = machine["DefinitionString"]["Fn::Join"][1]
    definition = json.loads("".join(part if isinstance(part, str) else "TOKEN" for part in parts))
    found: dict[str, Any] = definition["States"]
    return found


def test_tuning_replaces_the_training_job_and_its_best_job_is_evaluated(synthesize: Synthesize) -> None:
    found = states(synthesize({"tuning": TUNING, "max_runtime_seconds": 120}))
    assert "Train" not in found
    job = found["Tune"]["Parameters"]
    config = job["HyperParameterTuningJobConfig"]
    assert (config["Strategy"], config["TrainingJobEarlyStoppingType"]) == ("Random", "Auto")
    assert config["HyperParameterTuningJobObjective"] == {
        "Type": "Minimize",
        "MetricName": "validation:objective_loss",
    }
    assert config["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 6, "MaxParallelTrainingJobs": 3}
    assert config["ParameterRanges"]["ContinuousParameterRanges"] == [
        {"Name": "learning_rate", "MinValue": "0.001", "MaxValue": "0.1", "ScalingType": "Logarithmic"}
    ]
    assert found["Tune"]["Next"] == "TakeBestJob"
    assert found["TakeBestJob"]["Next"] == "Evaluate"
    # six jobs, three at a time: two waves of 120 s and what starting takes
    assert found["Tune"]["TimeoutSeconds"] >= 2 * (120 + 240)


def test_tuned_hyperparameters_are_not_fixed_as_well(synthesize: Synthesize) -> None:
    template = synthesize({"tuning": TUNING, "max_runtime_seconds": 120})
    (run,) = [item["Value"] for item in resources(template, "AWS::SSM::Parameter") if "training/run" in item["Name"]]
    text = json.dumps(run)
    assert "mini_batch_size" not in text.replace('\\\\"', '"')
    assert "predictor_type" in text


def test_longest_tuning_job_name_fits_32_characters(synthesize: Synthesize) -> None:
    expression = states(synthesize({"tuning": TUNING, "max_runtime_seconds": 120}))["Tune"]["Parameters"]
    prefix = expression["HyperParameterTuningJobName.$"].split("'")[1].partition("{}")[0]
    assert len(f"{'x' * (15 - len(prefix))}{prefix}5f0c7e2a-1-2") <= 32


def test_retraining_follows_clock_and_uploads_and_tells_a_topic(synthesize: Synthesize) -> None:
    retraining = {"schedule": "rate(7 days)", "on_new_data": True, "notify": ["team@example.org"]}
    template = synthesize({"retraining": retraining})
    rules = resources(template, "AWS::Events::Rule")
    assert [rule["ScheduleExpression"] for rule in rules if "ScheduleExpression" in rule] == ["rate(7 days)"]
    patterns = {rule["EventPattern"]["source"][0]: rule["EventPattern"] for rule in rules if "EventPattern" in rule}
    assert patterns["aws.s3"]["detail"] == {
        "bucket": {"name": ["records"]},
        "object": {"key": [{"prefix": "train/"}]},
    }
    assert set(patterns["aws.states"]["detail"]["status"]) == {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
    (subscription,) = resources(template, "AWS::SNS::Subscription")
    assert subscription["Endpoint"] == "team@example.org"


def test_shards_of_preprocessing_share_the_files_and_training_the_rows(synthesize: Synthesize) -> None:
    found = states(synthesize({"preprocess": {"instance_count": 2, "max_runtime_seconds": 480}, "instance_count": 3}))
    job, training = found["Preprocess"]["Parameters"], found["Train"]["Parameters"]
    assert job["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2
    spread = {item["InputName"]: item["S3Input"].get("S3DataDistributionType") for item in job["ProcessingInputs"]}
    assert spread == {"code": None, "train": "ShardedByS3Key", "test": "ShardedByS3Key"}
    assert training["ResourceConfig"]["InstanceCount"] == 3
    channels = {
        item["ChannelName"]: item["DataSource"]["S3DataSource"]["S3DataDistributionType"]
        for item in training["InputDataConfig"]
    }
    assert channels == {"train": "ShardedByS3Key", "validation": "FullyReplicated"}


def test_new_data_of_a_local_file_is_refused() -> None:
    groups = {
        "project": {"name": "kdd99"},
        "dataset": {"train": "train.gz", "test": "test.gz"},
        "training": {"retraining": {"on_new_data": True}},
    }
    with pytest.raises(ValueError, match=r"on_new_data watches an s3:// prefix, dataset\.train is 'train\.gz'"):
        Settings.model_validate(groups)
