"""Algorithms by name, and scripts: trained, gated and served in one sandbox; each goes on from the one before."""

import os
import textwrap
from pathlib import Path
from typing import Any

import pytest

from cli import models
from tests.integration.workstation import Workstation

KDD99 = Path(os.environ.get("SAGESCALE_SHARED", Path(__file__).parents[4] / "shared")) / "kdd99"
pytestmark = pytest.mark.verify  # a minute, because it deploys several times

XGBOOST: dict[str, Any] = {
    "algorithm": "xgboost",
    "max_runtime_seconds": 120,
    "hyperparameters": {"num_round": 5, "eta": 0.5},
}
SCRIPT = """
import argparse, json, os
from pathlib import Path
import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import reading

def model_fn(model_dir):
    return joblib.load(Path(model_dir, "model.joblib"))

def predict_fn(data, model):
    return model.predict_proba(data)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--strength", type=float)
    strength = parser.parse_args().strength
    assert strength == json.loads(os.environ["SM_HPS"])["strength"] == float(os.environ["SM_HP_STRENGTH"])
    host, hosts = os.environ["SM_CURRENT_HOST"], json.loads(os.environ["SM_HOSTS"])
    train = reading.rows(os.environ["SM_CHANNEL_TRAIN"])
    validation = reading.rows(os.environ["SM_CHANNEL_VALIDATION"])
    print("rows:", host, len(train), "of", len(hosts), "hosts", flush=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength)).fit(train[:, 1:], train[:, 0])
    print(f"validation-accuracy={model.score(validation[:, 1:], validation[:, 0])};", flush=True)
    if host == hosts[0]:
        joblib.dump(model, Path(os.environ["SM_MODEL_DIR"], "model.joblib"))
"""
READING = """
from pathlib import Path
import numpy as np

def rows(channel):
    return np.concatenate([np.loadtxt(path, delimiter=",", ndmin=2) for path in sorted(Path(channel).glob("*.csv"))])
"""
SCRIPTED: dict[str, Any] = {
    "hyperparameters": {"strength": 0.5},
    "script": {
        "framework": "scikit-learn",
        "version": "1.9-0",
        "entry_point": "fit.py",
        "source_dir": "model",
        "metrics": {"validation:accuracy": "validation-accuracy=([0-9.]+);"},
    },
}


@pytest.fixture(scope="module", autouse=True)
def script(workstation: Workstation) -> None:
    """The user's own code, beside the settings."""
    folder = workstation.folder / "model"
    folder.mkdir()
    (folder / "fit.py").write_text(textwrap.dedent(SCRIPT))
    (folder / "reading.py").write_text(READING)


def test_xgboost_is_trained_on_csv_gated_and_served_by_its_name(workstation: Workstation) -> None:
    workstation.deploy(training=XGBOOST)
    sagemaker = workstation.runtime.client("sagemaker")
    (name,) = workstation.training_jobs()
    job = sagemaker.describe_training_job(TrainingJobName=name)
    assert "/sagemaker-xgboost:" in job["AlgorithmSpecification"]["TrainingImage"]
    assert {channel["ContentType"] for channel in job["InputDataConfig"]} == {"text/csv"}
    reported = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
    assert reported["validation:logloss"] < 0.2
    assert workstation.labels() == ["attack", "normal"]


def test_xgboost_trains_on_two_instances_with_sharded_rows(workstation: Workstation) -> None:
    before = set(workstation.training_jobs())
    workstation.deploy(training={**XGBOOST, "instance_count": 2, "hyperparameters": {"num_round": 6}})
    (name,) = set(workstation.training_jobs()) - before
    job = workstation.runtime.client("sagemaker").describe_training_job(TrainingJobName=name)
    reported = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
    assert reported["validation:logloss"] < 0.2
    lines = [line for line in training_log(workstation, name) if "train matrix has" in line]
    counts = [int(line.split()[-2]) for line in lines]
    assert len(counts) == 2
    assert sum(counts) == pytest.approx(3600, abs=120)  # each row of the train channel on one host
    assert workstation.labels() == ["attack", "normal"]


def test_tuning_xgboost_follows_a_metric_of_its_own(workstation: Workstation) -> None:
    search = {
        "objective": "validation:f1",
        "strategy": "random",
        "max_jobs": 2,
        "max_parallel_jobs": 2,
        "continuous": {"eta": {"min": 0.1, "max": 0.5}},
        "integer": {"num_round": {"min": 2, "max": 4}},
    }
    workstation.deploy(training={**XGBOOST, "hyperparameters": {}, "tuning": search})
    sagemaker = workstation.runtime.client("sagemaker")
    (found,) = sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    tuning = sagemaker.describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=found["HyperParameterTuningJobName"]
    )
    best = tuning["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]
    assert (best["MetricName"], best["Value"] > 0.9) == ("validation:f1", True)
    assert workstation.labels() == ["attack", "normal"]


def test_algorithm_the_sandbox_does_not_have_is_refused_by_name_before_any_job(workstation: Workstation) -> None:
    before = workstation.training_jobs()
    refused = workstation.try_to_deploy(training={"algorithm": "kmeans", "hyperparameters": {"k": 3}})
    assert refused.returncode != 0
    assert "no local stand-in for the training image" in refused.stdout + refused.stderr
    assert "kmeans:1" in refused.stdout + refused.stderr
    assert workstation.training_jobs() == before


@pytest.mark.skipif(not (KDD99 / "corrected.gz").exists(), reason="the KDD99 files are not part of the repository")
def test_xgboost_reaches_the_quality_of_trees_on_kdd99(workstation: Workstation) -> None:
    dataset = {"train": str(KDD99 / "kddcup.data_10_percent.gz"), "test": str(KDD99 / "corrected.gz")}
    training = {**XGBOOST, "hyperparameters": {"num_round": 20}, "gate": {"metric": "accuracy", "at_least": 0.92}}
    workstation.deploy(dataset=dataset, training=training)
    (model, *_) = models.registered(workstation.deployment())
    assert model.metrics["accuracy"] >= 0.92
    assert model.metrics["roc_auc"] >= 0.95
    assert model.metrics["false_alarm_rate"] <= 0.02
    assert workstation.labels() == ["attack", "normal"]


def training_log(workstation: Workstation, job: str) -> list[str]:
    events = workstation.runtime.client("logs").filter_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=job
    )["events"]
    # the prefix again: moto answers with every stream of the group
    return [event["message"] for event in events if event["logStreamName"].startswith(job)]


def test_script_trains_on_two_instances_with_sharded_rows_and_serves_its_own_model(workstation: Workstation) -> None:
    before = set(workstation.training_jobs())
    workstation.deploy(training={**SCRIPTED, "instance_count": 2})
    (name,) = set(workstation.training_jobs()) - before
    job = workstation.runtime.client("sagemaker").describe_training_job(TrainingJobName=name)
    reported = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
    assert reported["validation:accuracy"] > 0.9
    lines = [line for line in training_log(workstation, name) if line.startswith("rows:")]
    counts = {line.split()[1]: int(line.split()[2]) for line in lines}
    assert set(counts) == {"algo-1", "algo-2"}
    assert sum(counts.values()) == pytest.approx(3600, abs=120)  # each row of the train channel on one host
    assert min(counts.values()) > 1000
    assert workstation.labels() == ["attack", "normal"]


def test_tuning_a_script_follows_the_metric_it_prints(workstation: Workstation) -> None:
    search = {
        "objective": "validation:accuracy",
        "strategy": "random",
        "max_jobs": 2,
        "max_parallel_jobs": 2,
        "continuous": {"strength": {"min": 0.1, "max": 1.0}},
    }
    before = set(workstation.training_jobs())
    workstation.deploy(training={**SCRIPTED, "hyperparameters": {}, "tuning": search, "max_runtime_seconds": 120})
    assert len(set(workstation.training_jobs()) - before) == 2
    assert workstation.labels() == ["attack", "normal"]


def test_scripts_model_that_does_not_load_is_refused_before_any_endpoint_sees_it(workstation: Workstation) -> None:
    served = workstation.parameter("model/served")
    script = workstation.folder / "model" / "fit.py"
    script.write_text(script.read_text().replace('"model.joblib"))', '"another.joblib"))', 1))
    refused = workstation.try_to_deploy(training={**SCRIPTED, "hyperparameters": {"strength": 0.6}})
    assert refused.returncode != 0
    assert "fit.py: the model does not load: FileNotFoundError" in refused.stdout + refused.stderr
    assert workstation.parameter("model/served") == served
    assert workstation.labels() == ["attack", "normal"]


def test_rollback_to_another_algorithms_model_is_refused_by_name(workstation: Workstation) -> None:
    first = models.registered(workstation.deployment())[-1]
    with pytest.raises(models.UnknownModelError, match=r"was made for sagemaker-xgboost:3\.0-5, and sagemaker-scikit"):
        models.promote_key(workstation.deployment(), first.key)
