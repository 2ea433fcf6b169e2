"""Workflows whose jobs the sandbox would not run are refused as they are deployed."""

import json
from typing import Any

import pytest

from sandbox.sagemaker.workflow_jobs import refuse_unknown_jobs

REGISTRY = "382416733822.dkr.ecr.us-east-1.amazonaws.com"


def training(**more: Any) -> dict[str, Any]:
    return {"AlgorithmSpecification": {"TrainingImage": f"{REGISTRY}/linear-learner:1"}, **more}


def tuning(**config: Any) -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName.$": "$.name",
        "HyperParameterTuningJobConfig": {"Strategy": "Bayesian", "TrainingJobEarlyStoppingType": "Off", **config},
        "TrainingJobDefinition": training(),
    }


def definition(action: str, parameters: dict[str, Any]) -> str:
    job = {"Type": "Task", "Resource": f"arn:aws:states:::sagemaker:{action}.sync", "Parameters": parameters}
    return json.dumps({"StartAt": "Job", "States": {"Wait": {"Type": "Wait", "Seconds": 1}, "Job": job}})


@pytest.mark.parametrize(
    ("action", "parameters"),
    [("createTrainingJob", training()), ("createHyperParameterTuningJob", tuning(Strategy="Random"))],
)
def test_workflow_of_jobs_that_run_here_is_taken(action: str, parameters: dict[str, Any]) -> None:
    refuse_unknown_jobs(definition(action, parameters))


@pytest.mark.parametrize(
    ("action", "parameters", "reason"),
    [
        ("createHyperParameterTuningJob", tuning(Strategy="Hyperband"), r"Strategy = 'Hyperband' \(it takes Random"),
        (
            "createHyperParameterTuningJob",
            tuning(TrainingJobEarlyStoppingType="Auto"),
            "TrainingJobEarlyStoppingType = 'Auto'",
        ),
        ("createTrainingJob", training(CheckpointConfig={"S3Uri": "s3://a/b"}), "does not emulate CheckpointConfig"),
        (
            "createTrainingJob",
            {"AlgorithmSpecification": {"TrainingImage": f"{REGISTRY}/kmeans:1"}},
            "no local stand-in for the training image .*kmeans:1",
        ),
        (
            "createProcessingJob",
            {"AppSpecification": {"ImageUri": f"{REGISTRY}/own:1"}},
            "no local stand-in for the processing image .*own:1",
        ),
    ],
)
def test_workflow_of_a_job_that_would_fail_here_is_refused(
    action: str, parameters: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        refuse_unknown_jobs(definition(action, parameters))
