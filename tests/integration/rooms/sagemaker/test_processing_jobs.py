"""Processing jobs as processes: inputs, outputs, the exit message, stopping, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/job"
IN, OUT = "/opt/ml/processing/input", "/opt/ml/processing/output"

COPY = """
import os, pathlib, sys
source, target = map(pathlib.Path, sys.argv[1:])
for path in source.rglob("*"):
    if path.is_file():
        (target / path.name).write_bytes(path.read_bytes().upper())
(target / "region.txt").write_text(os.environ["AWS_REGION"])
"""
FAIL = """
import os, pathlib, sys
message = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "output/message")
message.parent.mkdir(parents=True, exist_ok=True)
message.write_text("row 7: 40 columns, not 42")
sys.exit(1)
"""


def source(name: Any, uri: Any, path: Any, **more: Any) -> Any:
    return {
        "InputName": name,
        "S3Input": {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File", **more},
    }


def output(name: Any, uri: Any, path: Any) -> Any:
    return {"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": path, "S3UploadMode": "EndOfJob"}}


@pytest.fixture
def process(client: Any, name: Any, put: Any, bucket: Any, image: Any, wait_for: Any) -> Any:
    """Run a Python script as a processing job."""

    def run(script: Any, *, wait: Any = True, count: Any = 1, more_input: Any = None, **overrides: Any) -> Any:
        put("data/a.csv", "a")
        put("data/b.csv", "b")
        inputs = [
            source("code", put("code/job.py", script), f"{IN}/code"),
            source("data", f"s3://{bucket}/data", f"{IN}/data", **(more_input or {})),
        ]
        request = {
            "ProcessingJobName": name,
            "ProcessingInputs": inputs,
            "ProcessingOutputConfig": {"Outputs": [output("all", f"s3://{bucket}/out", f"{OUT}/all")]},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": count, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 30},
            "AppSpecification": {
                "ImageUri": image,
                "ContainerEntrypoint": ["python3", f"{IN}/code/job.py"],
                "ContainerArguments": [f"{IN}/data", f"{OUT}/all"],
            },
            "RoleArn": ROLE,
            **overrides,
        }
        client.create_processing_job(**request)
        describe = lambda: client.describe_processing_job(ProcessingJobName=name)  # noqa: E731
        return wait_for(describe, "ProcessingJobStatus", until=("Completed", "Failed", "Stopped")) if wait else describe

    return run


def test_processing_job_reads_inputs_and_uploads_outputs(process: Any, get: Any) -> None:
    job = process(COPY)
    assert job["ProcessingJobStatus"] == "Completed"
    assert job["ProcessingStartTime"] <= job["ProcessingEndTime"]
    assert (get("out/a.csv"), get("out/b.csv"), get("out/region.txt")) == (b"A", b"B", b"us-east-1")


def test_failed_processing_job_carries_the_exit_message(process: Any, runtime: Any, bucket: Any) -> None:
    job = process(FAIL)
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: See job logs for more information")
    assert job["ExitMessage"] == "row 7: 40 columns, not 42"
    assert runtime.client("s3").list_objects_v2(Bucket=bucket, Prefix="out/")["KeyCount"] == 0


def test_sharded_input_is_spread_over_instances(process: Any, get: Any, runtime: Any, bucket: Any) -> None:
    shards = """
import json, os, pathlib, sys
config = json.loads((pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "config/resourceconfig.json").read_text())
names = sorted(path.name for path in pathlib.Path(sys.argv[1]).iterdir())
(pathlib.Path(sys.argv[2]) / config["current_host"]).write_text(",".join(names))
"""
    job = process(shards, count=2, more_input={"S3DataDistributionType": "ShardedByS3Key"})
    assert job["ProcessingJobStatus"] == "Completed"
    assert (get("out/algo-1"), get("out/algo-2")) == (b"a.csv", b"b.csv")


def test_stop_and_max_runtime_end_as_stopped(process: Any, client: Any, name: Any, wait_for: Any) -> None:
    describe = process("import time; time.sleep(60)", wait=False)
    wait_for(lambda: {"started": "ProcessingStartTime" in describe()}, "started", until=(True,))
    client.stop_processing_job(ProcessingJobName=name)
    assert wait_for(describe, "ProcessingJobStatus", until=("Stopped",))


def test_max_runtime_stops_the_job(process: Any) -> None:
    job = process("import time; time.sleep(60)", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert job["ProcessingJobStatus"] == "Stopped"


@pytest.mark.parametrize(
    ("more_input", "overrides", "message"),
    [
        ({"S3DataType": "ManifestFile"}, {}, "does not emulate .*S3DataType = 'ManifestFile'"),
        ({"LocalPath": "/data"}, {}, "LocalPath /data is not below /opt/ml"),
        (
            {},
            {"AppSpecification": {"ImageUri": "1.dkr.ecr.us-east-1.amazonaws.com/own:1", "ContainerEntrypoint": ["x"]}},
            "no local stand-in for the processing image .*/own:1",
        ),
    ],
)
def test_what_cannot_run_is_refused_by_name(process: Any, more_input: Any, overrides: Any, message: Any) -> None:
    with pytest.raises(ClientError, match=message):
        process(COPY, more_input=more_input, **overrides)
