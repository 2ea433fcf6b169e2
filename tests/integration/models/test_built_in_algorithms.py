"""Amazon's algorithms by name: trained, gated and served in one sandbox; each test goes on from the one before."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import launch
from tests.integration.workstation import Workstation

pytestmark = pytest.mark.verify  # a minute, because it deploys several times

XGBOOST: dict[str, Any] = {
    "algorithm": "xgboost",
    "max_runtime_seconds": 120,
    "hyperparameters": {"num_round": 5, "eta": 0.5},
}


@pytest.fixture(scope="module")
def workstation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workstation]:
    folder = tmp_path_factory.mktemp("algorithms")
    runtime = launch.start(folder / "sandbox", owner_pid=os.getpid())
    launch.bootstrap(runtime)
    yield Workstation(folder, runtime)
    launch.stop(folder / "sandbox")


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
