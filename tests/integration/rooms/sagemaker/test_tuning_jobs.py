"""Tuning jobs: parallel training jobs, the best one, limits, stopping."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/job"


@pytest.fixture
def tune(client: Any, name: Any, bucket: Any, put: Any, image: Any, channel: Any, wait_for: Any) -> Any:
    """Start a tuning job over ``x``, whose best value is 0.3, and wait for its end."""

    def run(
        strategy: Any = "Bayesian",
        *,
        jobs: Any = 8,
        static: Any = None,
        ranges: Any = None,
        wait: Any = True,
        **config: Any,
    ) -> Any:
        put("data/train.csv", "1,2")
        client.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name,
            HyperParameterTuningJobConfig={
                "Strategy": strategy,
                "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 4},
                "ParameterRanges": ranges
                or {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]},
                "RandomSeed": 7,
                **config,
            },
            TrainingJobDefinition={
                "StaticHyperParameters": static or {"mode": "ok"},
                "AlgorithmSpecification": {
                    "TrainingImage": image,
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": "score", "Regex": r"score=(\S+)"}],
                },
                "RoleArn": ROLE,
                "InputDataConfig": [channel("train", f"s3://{bucket}/data/")],
                "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/runs"},
                "ResourceConfig": {"InstanceType": "ml.c4.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
                "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            },
        )
        describe = lambda: client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)  # noqa: E731
        if not wait:
            return describe
        return wait_for(describe, "HyperParameterTuningJobStatus", until=("Completed", "Failed", "Stopped"))

    return run


def test_tuning_serves_the_best_of_its_training_jobs(tune: Any, client: Any, name: Any) -> None:
    job = tune()
    summaries = client.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)[
        "TrainingJobSummaries"
    ]
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["Completed"] == len(summaries) == 8
    distance = {item["TrainingJobName"]: abs(float(item["TunedHyperParameters"]["x"]) - 0.3) for item in summaries}
    best = job["BestTrainingJob"]
    assert best["TrainingJobName"] == min(distance, key=distance.__getitem__)
    training = client.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert training["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    assert training["HyperParameters"]["x"] == best["TunedHyperParameters"]["x"]
    assert training["ModelArtifacts"]["S3ModelArtifacts"]


def test_tuning_runs_at_most_its_parallel_jobs(tune: Any, client: Any, name: Any) -> None:
    tune(jobs=6, strategy="Random")
    summaries = client.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)[
        "TrainingJobSummaries"
    ]
    starts = sorted((item["CreationTime"], 1) for item in summaries)
    ends = sorted((item["TrainingEndTime"], -1) for item in summaries)
    running = most = 0
    for _, change in sorted([*starts, *ends]):
        running += change
        most = max(most, running)
    assert 2 <= most <= 4


def test_grid_tuning_tries_every_category(tune: Any, client: Any, name: Any) -> None:
    tune("Grid", ranges={"CategoricalParameterRanges": [{"Name": "x", "Values": ["0.1", "0.3", "0.9"]}]})
    summaries = client.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)[
        "TrainingJobSummaries"
    ]
    assert {item["TunedHyperParameters"]["x"] for item in summaries} == {"0.1", "0.3", "0.9"}


def test_tuning_fails_with_the_reason_when_every_training_job_fails(tune: Any) -> None:
    job = tune(jobs=2, static={"mode": "crash"})
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert "after running 2 training jobs" in job["FailureReason"]
    assert "no learning rate" in job["FailureReason"]


def test_stopped_tuning_stops_its_training_jobs(tune: Any, client: Any, name: Any, wait_for: Any) -> None:
    describe = tune(static={"mode": "sleep"}, wait=False)
    wait_for(lambda: describe()["TrainingJobStatusCounters"], "InProgress", until=(4,))
    client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    job = wait_for(describe, "HyperParameterTuningJobStatus", until=("Stopped",))
    assert job["TrainingJobStatusCounters"]["Stopped"] == 4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"strategy": "Hyperband"}, "does not emulate .*Strategy = 'Hyperband'"),
        ({"strategy": "Grid"}, "Grid takes only CategoricalParameterRanges, not x"),
        (
            {"ranges": {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "2", "MaxValue": "1"}]}},
            "x: MinValue 2.0 is above MaxValue 1.0",
        ),
        (
            {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"}},
            "'loss' is none of the job's metrics: score",
        ),
    ],
)
def test_what_cannot_be_tuned_is_refused_by_name(tune: Any, overrides: Any, message: Any) -> None:
    with pytest.raises(ClientError, match=message):
        tune(**overrides)
