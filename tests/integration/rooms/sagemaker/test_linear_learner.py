"""The images the project uses, end to end: train a linear model, serve it, and get its own scores back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.artifact import read_artifact

IMAGE = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
ROLE = "arn:aws:iam::123456789012:role/job"


@pytest.fixture(params=[1, 2])
def trained(
    request: pytest.FixtureRequest, client: Any, name: Any, bucket: Any, put: Any, channel: Any, wait_for: Any
) -> Any:
    """A training job of Linear Learner, of one and of two instances, on two features, one of which decides."""
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(600, 2))
    labels = (rows[:, 0] > 0.2).astype(int)
    text = "\n".join(f"{label},{a:.5f},{b:.5f}" for label, (a, b) in zip(labels, rows, strict=True))
    for split in ("train", "validation"):
        for part in range(2):
            put(f"data/{split}/part-{part}.csv", text)
    client.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        InputDataConfig=[
            channel("train", f"s3://{bucket}/data/train/", "ShardedByS3Key"),
            channel("validation", f"s3://{bucket}/data/validation/"),
        ],
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/runs"},
        ResourceConfig={"InstanceType": "ml.c4.xlarge", "InstanceCount": request.param, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 120},
        HyperParameters={"feature_dim": "2", "predictor_type": "binary_classifier", "mini_batch_size": "50"},
    )
    describe = lambda: client.describe_training_job(TrainingJobName=name)  # noqa: E731
    return wait_for(describe, "TrainingJobStatus", until=("Completed", "Failed"), timeout_seconds=90)


def test_linear_learner_trains_and_is_served_with_its_own_scores(
    trained: Any, client: Any, name: Any, get: Any, dataplane: Any, predict: Any, wait_for: Any, tmp_path: Path
) -> None:
    metrics = {item["MetricName"]: item["Value"] for item in trained["FinalMetricDataList"]}
    assert metrics["validation:binary_classification_accuracy"] > 0.9
    assert {"validation:objective_loss", "validation:binary_f_beta", "train:objective_loss"} <= set(metrics)
    artifact = tmp_path / "model.tar.gz"
    artifact.write_bytes(get(f"runs/{name}/output/model.tar.gz"))
    model = {"Image": IMAGE, "ModelDataUrl": trained["ModelArtifacts"]["S3ModelArtifacts"]}
    client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=model)
    variant = {"VariantName": "main", "ModelName": name, "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}
    client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    describe = lambda: client.describe_endpoint(EndpointName=name)  # noqa: E731
    assert wait_for(describe, "EndpointStatus", until=("InService", "Failed"))["EndpointStatus"] == "InService"
    served = json.loads(predict("0.5,0.1\n-1.5,0.3"))["predictions"]
    expected = read_artifact(artifact).scores(np.array([[0.5, 0.1], [-1.5, 0.3]], dtype=np.float32))
    assert [row["score"] for row in served] == pytest.approx(np.ravel(expected).tolist(), abs=1e-6)
    assert [row["predicted_label"] for row in served] == [1, 0]
    client.delete_endpoint(EndpointName=name)
