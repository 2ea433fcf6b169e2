"""State machines from their definitions, run to their end."""

from __future__ import annotations

import json
from typing import Any

import pytest

ROLE = "arn:aws:iam::123456789012:role/workflow"


@pytest.fixture
def client(runtime: Any) -> Any:
    return runtime.client("stepfunctions")


@pytest.fixture
def start(client: Any, name: Any) -> Any:
    """Create the state machine ``name`` of the given states, and start it; returns a describing call."""

    def begin(states: Any, *, first: Any = None, data: Any = None, **options: Any) -> Any:
        definition = {"StartAt": first or next(iter(states)), "States": states, **options}
        machine = client.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)
        arn = client.start_execution(
            stateMachineArn=machine["stateMachineArn"], name="run-1", input=json.dumps(data or {})
        )["executionArn"]
        return lambda: client.describe_execution(executionArn=arn)

    return begin


@pytest.fixture
def run(start: Any, wait_for: Any) -> Any:
    """Run a state machine; returns its output, or (status, error, cause)."""

    def to_the_end(states: Any, **options: Any) -> Any:
        execution = wait_for(start(states, **options), "status", until=("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"))
        if execution["status"] == "SUCCEEDED":
            return json.loads(execution["output"])
        return execution["status"], execution.get("error"), execution.get("cause")

    return to_the_end


@pytest.fixture
def training(name: Any, bucket: Any, put: Any, image: Any) -> Any:
    """Parameters of a training job of the fake algorithm."""

    def parameters(**overrides: Any) -> Any:
        data = put("data/train.csv", "1,2")
        source = {"S3DataType": "S3Prefix", "S3Uri": data, "S3DataDistributionType": "FullyReplicated"}
        return {
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/runs"},
            "ResourceConfig": {"InstanceType": "ml.c4.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **overrides,
        }

    return parameters
