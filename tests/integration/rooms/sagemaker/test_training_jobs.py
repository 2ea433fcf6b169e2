"""Training jobs as processes: layout, artifacts, reasons, metrics, logs, stopping."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.sagemaker.images import LINEAR_LEARNER_METRICS
from sandbox.sagemaker.metrics import final_metrics


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {item.name: file.read() for item in tar if (file := tar.extractfile(item))}


def seen(archive: bytes, host: Any = "algo-1") -> Any:
    return json.loads(unpacked(archive)[f"seen-{host}.json"])


def test_training_job_finds_the_opt_ml_layout(train: Any, get: Any, name: Any) -> None:
    job = train(HyperParameters={"epochs": "3"}, Environment={"MARK": "/opt/ml/code"})
    container = seen(get(f"runs/{name}/output/model.tar.gz"))
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith(f"/runs/{name}/output/model.tar.gz")
    assert container["hyperparameters"] == {"epochs": "3"}
    assert container["files"] == ["input/data/train/part-0.csv"]
    assert container["channels"]["train"]["ContentType"] == "text/csv"
    assert container["channels"]["train"]["TrainingInputMode"] == "File"
    assert container["resources"]["hosts"] == ["algo-1"]
    assert container["environment"]["MARK"].endswith("/opt/ml/code")
    assert container["environment"]["MARK"] != "/opt/ml/code"
    assert container["environment"]["TRAINING_JOB_NAME"] == name


def test_isolated_training_job_has_no_way_to_aws(train: Any, get: Any, name: Any) -> None:
    train(EnableNetworkIsolation=True)
    environment = seen(get(f"runs/{name}/output/model.tar.gz"))["environment"]
    assert environment["AWS_REGION"] == "us-east-1"
    assert not {"AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL"} & environment.keys()


def test_training_job_reports_metrics_transitions_and_environment(train: Any) -> None:
    job = train(HyperParameters={"x": "0.3"}, Environment={"A": "b"})
    assert [(item["MetricName"], item["Value"]) for item in job["FinalMetricDataList"]] == [("score", 1.0)]
    phases = [item["Status"] for item in job["SecondaryStatusTransitions"]]
    assert phases == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert job["SecondaryStatus"] == "Completed"
    assert job["Environment"] == {"A": "b"}
    assert job["TrainingStartTime"] <= job["TrainingEndTime"]


def test_training_job_uploads_output_only_when_there_is_some(
    train: Any, get: Any, name: Any, runtime: Any, bucket: Any
) -> None:
    train(HyperParameters={"mode": "output"})
    assert unpacked(get(f"runs/{name}/output/output.tar.gz"))["data/curve.csv"] == b"1,2\n"


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("fail", "AlgorithmError: row 3 is broken xxx"),
        ("crash", "AlgorithmError: ValueError: no learning rate, exit code: 1"),
        ("kill", "exit code: 137"),
    ],
)
def test_failed_training_job_says_why(train: Any, runtime: Any, bucket: Any, name: Any, mode: Any, reason: Any) -> None:
    job = train(HyperParameters={"mode": mode})
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert reason in job["FailureReason"]
    assert len(job["FailureReason"]) < 1100
    keys = [item["Key"] for item in runtime.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert f"runs/{name}/output/model.tar.gz" not in keys


def test_training_job_without_data_fails_and_names_the_prefix(train: Any, bucket: Any, channel: Any) -> None:
    job = train(InputDataConfig=[channel("train", f"s3://{bucket}/nothing/here")])
    assert job["TrainingJobStatus"] == "Failed"
    assert f"s3://{bucket}/nothing/here" in job["FailureReason"]
    assert job["FailureReason"].startswith("ClientError: Data download failed")


def test_sharded_channel_is_spread_over_instances(
    train: Any, get: Any, put: Any, name: Any, bucket: Any, channel: Any
) -> None:
    for number in range(3):
        put(f"data/train/part-{number}.csv", "x")
    train(
        ResourceConfig={"InstanceType": "ml.c4.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 10},
        InputDataConfig=[
            channel("train", f"s3://{bucket}/data/train/", "ShardedByS3Key"),
            channel("validation", f"s3://{bucket}/data/train/part-1.csv"),
        ],
    )
    archive = get(f"runs/{name}/output/model.tar.gz")
    first, second = (seen(archive, host)["files"] for host in ("algo-1", "algo-2"))
    shared = ["input/data/validation/part-1.csv"]
    assert first == ["input/data/train/part-0.csv", "input/data/train/part-2.csv", *shared]
    assert second == ["input/data/train/part-1.csv", *shared]


def test_max_runtime_ends_as_stopped_with_artifacts(train: Any) -> None:
    job = train(HyperParameters={"mode": "sleep"}, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert "ModelArtifacts" in job


def test_stop_training_job_ends_its_process(train: Any, client: Any, name: Any, wait_for: Any) -> None:
    describe = train(wait=False, HyperParameters={"mode": "sleep"})
    wait_for(describe, "SecondaryStatus", until=("Training",))
    client.stop_training_job(TrainingJobName=name)
    assert wait_for(describe, "TrainingJobStatus", until=("Stopped",))["SecondaryStatus"] == "Stopped"
    with pytest.raises(ClientError, match="in status Stopped"):
        client.stop_training_job(TrainingJobName=name)


def test_output_is_in_cloudwatch_logs(train: Any, runtime: Any, name: Any) -> None:
    train()
    logs = runtime.client("logs")
    (stream,) = logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=name)[
        "logStreams"
    ]
    events = logs.get_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream["logStreamName"], startFromHead=True
    )["events"]
    assert stream["logStreamName"].startswith(f"{name}/algo-1-")
    assert events[0]["message"].startswith("hosts ['algo-1']")


def test_listing_and_tags_know_the_job(train: Any, client: Any, name: Any) -> None:
    job = train(Tags=[{"Key": "run", "Value": "1"}])
    summaries = client.list_training_jobs(NameContains=name)["TrainingJobSummaries"]
    assert [item["TrainingJobStatus"] for item in summaries] == ["Completed"]
    assert client.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"] == [{"Key": "run", "Value": "1"}]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"TrainingJobName": "under_score"}, "trainingJobName"),
        (
            {"AlgorithmSpecification": {"TrainingImage": "1.dkr/x/kmeans:1", "TrainingInputMode": "File"}},
            "no local stand-in for the training image '1.dkr/x/kmeans:1'.*linear-learner",
        ),
        ({"CheckpointConfig": {"S3Uri": "s3://a/b"}}, "does not emulate CheckpointConfig"),
    ],
)
def test_what_cannot_run_is_refused_by_name(train: Any, overrides: Any, message: Any) -> None:
    with pytest.raises(ClientError, match=message):
        train(**overrides)


def test_job_name_cannot_be_used_twice(train: Any) -> None:
    train()
    with pytest.raises(ClientError, match=r"ResourceInUse.*already exists"):
        train()


def test_linear_learner_metrics_are_read_from_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "#quality_metric: host=algo-1, epoch=0, train binary_classification_cross_entropy_objective <loss>=0.5\n"
        "#quality_metric: host=algo-1, validation binary_classification_accuracy <score>=0.5\n"
        "#quality_metric: host=algo-1, validation binary_classification_accuracy <score>=0.99\n"
    )
    found = final_metrics(log, LINEAR_LEARNER_METRICS, datetime(2026, 1, 1, tzinfo=UTC))
    assert [(item["MetricName"], item["Value"]) for item in found] == [
        ("train:objective_loss", 0.5),
        ("validation:binary_classification_accuracy", 0.99),
    ]
