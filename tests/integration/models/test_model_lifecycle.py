"""Tuning, retraining, the gates, the registry and going back, in one sandbox: each test goes on from the one before."""

import gzip
import json
import time
from datetime import datetime
from typing import Any

import pytest

from cli import models, train
from cli.deployment import Deployment
from tests.integration.workstation import Workstation, write_dataset

pytestmark = pytest.mark.verify  # minutes, because it deploys many times

GATE = {"metric": "accuracy", "at_least": 0.0}  # so low that only the comparison with the served model is left
TUNED: dict[str, Any] = {
    "gate": GATE,
    "max_runtime_seconds": 120,
    "hyperparameters": {"epochs": 2},
    "tuning": {
        "max_jobs": 8,
        "max_parallel_jobs": 4,
        "continuous": {"learning_rate": {"min": 0.0001, "max": 0.1, "scale": "logarithmic"}},
        "integer": {"mini_batch_size": {"min": 100, "max": 1000}},
        "categorical": {"optimizer": ["adam", "sgd"]},
    },
}


@pytest.fixture
def deployment(workstation: Workstation) -> Deployment:
    return Deployment("sandbox", workstation.settings(), workstation.runtime)


def content(workstation: Workstation, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body: bytes = workstation.runtime.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def most_at_once(spans: list[tuple[datetime, datetime]]) -> int:
    return max(sum(start <= moment < end for start, end in spans) for moment, _ in spans)


def test_tuning_runs_eight_jobs_four_at_a_time_and_the_best_jobs_model_is_served(workstation: Workstation) -> None:
    workstation.deploy(training=TUNED)
    sagemaker = workstation.runtime.client("sagemaker")
    (found,) = sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    name = found["HyperParameterTuningJobName"]
    tuning = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    trials = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)[
        "TrainingJobSummaries"
    ]
    spans = [(trial["TrainingStartTime"], trial["TrainingEndTime"]) for trial in trials]
    assert (len(trials), 2 <= most_at_once(spans) <= 4) == (8, True)
    objectives = [trial["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for trial in trials]
    best = tuning["BestTrainingJob"]
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == max(objectives)
    job = sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])
    served = workstation.parameter("model/served")
    assert content(workstation, served) == content(workstation, job["ModelArtifacts"]["S3ModelArtifacts"])
    assert workstation.labels() == ["attack", "normal"]


def test_promoted_models_are_registered_with_metrics_and_hashes(
    workstation: Workstation, deployment: Deployment
) -> None:
    (first,) = models.registered(deployment)
    assert (first.version, first.is_served, first.url) == (1, True, workstation.parameter("model/served"))
    assert 0.5 < first.metrics["accuracy"] <= 1.0
    (arn,) = [
        item["ModelPackageArn"]
        for item in workstation.runtime.client("sagemaker").list_model_packages(ModelPackageGroupName="kdd99-sandbox")[
            "ModelPackageSummaryList"
        ]
    ]
    package = workstation.runtime.client("sagemaker").describe_model_package(ModelPackageName=arn)
    properties = package["CustomerMetadataProperties"]
    assert len(properties["dataset_hash"]) == len(properties["code_hash"]) == 64


def test_rollback_restores_the_previous_model_and_again_the_later_one(
    workstation: Workstation, deployment: Deployment
) -> None:
    first = workstation.parameter("model/served")
    workstation.deploy(training={"gate": GATE, "hyperparameters": {"epochs": 3}})
    second = workstation.parameter("model/served")
    assert [model.is_served for model in models.registered(deployment)] == [True, False]
    models.roll_back(deployment)
    assert workstation.parameter("model/served") == workstation.parameter("model/approved") == first
    assert workstation.labels() == ["attack", "normal"]
    models.roll_back(deployment)
    assert workstation.parameter("model/served") == second


def test_gate_refuses_a_worse_retraining_and_the_old_model_keeps_answering(
    workstation: Workstation, deployment: Deployment
) -> None:
    served = workstation.parameter("model/served")
    with gzip.open(workstation.train, "rt") as lines:
        mislabelled = [
            line.replace("smurf.", "x").replace("normal.", "smurf.").replace("x", "normal.") for line in lines
        ]
    bucket, key = served.removeprefix("s3://").partition("/")[0], "runs/mislabelled.gz"  # where jobs may read
    body = gzip.compress("".join(mislabelled).encode())
    workstation.runtime.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    run = deployed_run(workstation) | {"train_uri": f"s3://{bucket}/{key}", "key": "0123456789abcdef"}
    with pytest.raises(train.RunFailedError, match="the served model stays: accuracy is 0"):
        train.execute(deployment, "retrain", run)
    assert workstation.parameter("model/served") == workstation.parameter("model/approved") == served
    assert workstation.labels() == ["attack", "normal"]


def deployed_run(workstation: Workstation) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(workstation.parameter("training/run"))
    return run


def test_promoting_a_model_nobody_approved_fails_with_the_reason(deployment: Deployment) -> None:
    with pytest.raises(train.RunFailedError, match="no model fedcba9876543210 was approved"):
        train.execute(deployment, "promote", {"key": "fedcba9876543210"})


def test_new_files_under_the_prefix_retrain_once_and_the_topic_tells(workstation: Workstation) -> None:
    s3, sqs = workstation.runtime.client("s3"), workstation.runtime.client("sqs")
    s3.create_bucket(Bucket="records")
    s3.put_bucket_notification_configuration(
        Bucket="records", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    s3.upload_file(str(workstation.train), "records", "train/first.gz")
    workstation.deploy(
        dataset={"train": "s3://records/train/", "test": str(workstation.test)},
        training={
            "gate": GATE,
            "hyperparameters": {"epochs": 2},
            "retraining": {"on_new_data": True, "debounce_seconds": 3},
        },
    )
    served = workstation.parameter("model/served")
    topic = workstation.outputs("training")["RunsTopicArn"]
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    workstation.runtime.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    before = len(workstation.executions())
    for name in ("second.gz", "third.gz"):
        s3.upload_file(str(write_dataset(workstation.folder / name, 500)), "records", f"train/{name}")
    deadline = time.monotonic() + 240
    while workstation.parameter("model/served") == served and time.monotonic() < deadline:
        time.sleep(0.5)
    assert workstation.parameter("model/served") != served
    assert len(workstation.executions()) == before + 1
    told: list[Any] = []
    while not told and time.monotonic() < deadline:  # the run looks every 15 s whether the stack is updated
        told = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages", [])
    assert ["SUCCEEDED" in message["Body"] for message in told] == [True]
    assert workstation.labels() == ["attack", "normal"]


def channels(workstation: Workstation) -> dict[str, str]:
    """Return the digests of what the deployed run's preprocessing wrote, by channel and part."""
    run, s3 = deployed_run(workstation), workstation.runtime.client("s3")
    bucket = workstation.parameter("model/served").removeprefix("s3://").partition("/")[0]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"runs/{run['key']}/")
    found = [item for page in pages for item in page.get("Contents", []) if "/data/" in item["Key"]]
    return {item["Key"].partition("/data/")[2]: item["ETag"] for item in found}


def test_preprocessing_in_two_shards_writes_the_channels_of_one_machine(workstation: Workstation) -> None:
    s3 = workstation.runtime.client("s3")
    s3.create_bucket(Bucket="days")
    for number in range(3):
        s3.upload_file(str(write_dataset(workstation.folder / f"day-{number}.gz", 1_500)), "days", f"d/{number}.gz")
    dataset = {"train": "s3://days/d/", "test": str(workstation.test)}
    wholes = []
    for machines, epochs in ((1, 2), (2, 3)):  # other hyperparameters make another run
        preprocess = {"instance_count": machines, "max_runtime_seconds": 480}
        training = {
            "gate": GATE,
            "hyperparameters": {"epochs": epochs},
            "preprocess": preprocess,
            "instance_count": machines,
        }
        workstation.deploy(dataset=dataset, training=training)
        wholes.append(channels(workstation))
    jobs = workstation.runtime.client("sagemaker").list_processing_jobs(NameContains="prep")["ProcessingJobSummaries"]
    newest = max(jobs, key=lambda job: job["CreationTime"])["ProcessingJobName"]
    job = workstation.runtime.client("sagemaker").describe_processing_job(ProcessingJobName=newest)
    assert job["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2
    assert wholes[0] == wholes[1]
    assert {name.partition("/")[0] for name in wholes[0]} == {"train", "validation", "test"}
    assert workstation.labels() == ["attack", "normal"]


def test_fast_container_is_deployed_by_the_cdk_cli_and_serves_the_same_model(workstation: Workstation) -> None:
    training = {"gate": GATE, "hyperparameters": {"epochs": 2}}
    workstation.deploy(training=training)
    before = len(workstation.training_jobs())
    workstation.deploy(training=training, endpoint={"container": "fast"})
    assert len(workstation.training_jobs()) == before  # the container that serves decides nothing about the model
    sagemaker = workstation.runtime.client("sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName=workstation.parameter("endpoint/name"))
    (variant,) = endpoint["ProductionVariants"]
    (image,) = variant["DeployedImages"]
    assert "/cdk-hnb659fds-container-assets-" in image["SpecifiedImage"]
    assert workstation.labels() == ["attack", "normal"]
