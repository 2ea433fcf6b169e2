"""SageMaker jobs as Step Functions tasks that wait for the job (`.sync`).

The CDK has no task for Processing, and grants for `.sync` are incomplete in general: these states bring their own.
Job names are made of the run's name and the attempt, because SageMaker refuses a name twice.

References
----------
Step Functions developer guide, "Create and manage Amazon SageMaker AI jobs with Step Functions".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from config.training import JOB_START_SECONDS, Job, Training

PROCESSING = "/opt/ml/processing"
CODE_COMMAND = f"States.Array('python3', States.Format('{PROCESSING}/input/code/{{}}', $.run.code_file))"
API_FAULTS = ["SageMaker.AmazonSageMakerException", "SageMaker.SageMakerException"]  # throttling and the like


def job_name(step: str) -> dict[str, str]:
    """Return the expression that names a job: unique for every attempt, at most 63 characters."""
    return {"name.$": f"States.Format('{{}}-{step}-{{}}-{{}}', $.job.name, $.job.attempt, $$.State.RetryCount)"}


def job_state(
    scope: Construct,
    construct_id: str,
    *,
    action: str,
    parameters: Mapping[str, Any],
    max_runtime_seconds: int,
    result_path: str,
    result_selector: Mapping[str, Any] | None = None,
) -> sfn.CustomState:
    """Return a task that runs one job to its end, retries what is transient in the API and is bounded in time."""
    partition = Stack.of(scope).partition
    return sfn.CustomState(
        scope,
        construct_id,
        state_json={
            "Type": "Task",
            "Resource": f"arn:{partition}:states:::sagemaker:{action}.sync",
            "Parameters": parameters,
            "TimeoutSeconds": max_runtime_seconds + JOB_START_SECONDS,
            "ResultPath": result_path,
            **({"ResultSelector": result_selector} if result_selector else {}),
            "Retry": [
                {
                    "ErrorEquals": API_FAULTS,
                    "IntervalSeconds": 5,
                    "BackoffRate": 2,
                    "MaxAttempts": 2,
                    "JitterStrategy": "FULL",
                }
            ],
        },
    )


def processing_parameters(
    step: str,
    *,
    job: Job,
    image_uri: str,
    role_arn: str,
    arguments: list[str],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    assets: Mapping[str, str] | None = None,
    instance_count: int = 1,
) -> dict[str, Any]:
    """Return CreateProcessingJob's parameters.

    Parameters
    ----------
    step : str
        Short name of the job.
    arguments : list[str]
        Arguments of the code: the command and its options.
    inputs : Mapping[str, str]
        Folder below /opt/ml/processing/input: the expression of its S3 URI.
    outputs : Mapping[str, str]
        Folder below /opt/ml/processing/output: what follows the run's prefix in S3.
    assets : Mapping[str, str]
        Folder below /opt/ml/processing/input: the S3 URI itself.
    instance_count : int
        Machines; several share the files of every input but the code.
    """
    sharded = instance_count > 1
    return {
        "ProcessingJobName.$": job_name(step)["name.$"],
        "RoleArn": role_arn,
        "AppSpecification": {
            "ImageUri": image_uri,
            "ContainerEntrypoint.$": CODE_COMMAND,
            "ContainerArguments": arguments,
        },
        "ProcessingInputs": [
            _input("code", {"S3Uri.$": "$.run.code_uri"}),
            *(_input(name, {"S3Uri.$": uri}, sharded=sharded) for name, uri in inputs.items()),
            *(_input(name, {"S3Uri": uri}) for name, uri in (assets or {}).items()),
        ],
        "ProcessingOutputConfig": {"Outputs": [_output(*item) for item in outputs.items()]},
        "ProcessingResources": {"ClusterConfig": _machines(job, instance_count)},
        "StoppingCondition": {"MaxRuntimeInSeconds": job.max_runtime_seconds},
    }


def _machines(job: Job | Training, count: int) -> dict[str, Any]:
    return {"InstanceCount": count, "InstanceType": job.instance_type, "VolumeSizeInGB": job.volume_size_gb}


def _input(name: str, uri: dict[str, str], *, sharded: bool = False) -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            **uri,
            "LocalPath": f"{PROCESSING}/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            **({"S3DataDistributionType": "ShardedByS3Key"} if sharded else {}),
        },
    }


def _output(name: str, below: str) -> dict[str, Any]:
    return {
        "OutputName": name,
        "S3Output": {
            "S3Uri.$": f"States.Format('{{}}/{below}', $.job.output)",
            "LocalPath": f"{PROCESSING}/output/{name}",
            "S3UploadMode": "EndOfJob",
        },
    }


def training_parameters(training: Training, *, image_uri: str, role_arn: str) -> dict[str, Any]:
    """Return CreateTrainingJob's parameters for the channels that preprocessing wrote."""
    reported = training.script.metrics if training.script else {}
    metrics = [{"Name": name, "Regex": regex} for name, regex in reported.items()]
    content_type = training.learner.content_type
    # K-Means and PCA know no validation channel
    replicated = ["validation"] if training.learner.labelled else []
    return {
        "TrainingJobName.$": job_name("train")["name.$"],
        "RoleArn": role_arn,
        "AlgorithmSpecification": {
            "TrainingImage": image_uri,
            "TrainingInputMode": "File",
            **({"MetricDefinitions": metrics} if metrics else {}),
        },
        "HyperParameters.$": "$.run.hyperparameters",
        "InputDataConfig": [
            # SageMaker, "Input/Output Interface for the Linear Learner Algorithm": only the train channel is shared
            _channel("train", content_type, sharded=training.instance_count > 1),
            *(_channel(name, content_type) for name in replicated),
        ],
        "OutputDataConfig": {"S3OutputPath.$": "States.Format('{}/train', $.job.output)"},
        "ResourceConfig": _machines(training, training.instance_count),
        "StoppingCondition": {"MaxRuntimeInSeconds": training.max_runtime_seconds},
    }


def _channel(name: str, content_type: str, *, sharded: bool = False) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "ContentType": content_type,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri.$": f"States.Format('{{}}/data/{name}', $.job.output)",
                "S3DataDistributionType": "ShardedByS3Key" if sharded else "FullyReplicated",
            }
        },
    }


def job_statements(
    scope: Construct, prefix: str, role: iam.IRole, kinds: Sequence[str] = ("Processing", "Training")
) -> list[iam.PolicyStatement]:
    """Return what a state machine needs to run this environment's jobs of some kinds and to wait for their end."""
    stack = Stack.of(scope)
    jobs = {
        kind: stack.format_arn(service="sagemaker", resource=f"{kind.lower()}-job", resource_name=f"{prefix}-*")
        for kind in kinds
    }
    rules = [f"StepFunctionsGetEventsForSageMaker{kind}JobsRule" for kind in kinds]
    return [
        *(
            iam.PolicyStatement(
                actions=[f"sagemaker:{verb}{kind}Job" for verb in ("Create", "Describe", "Stop")], resources=[arn]
            )
            for kind, arn in jobs.items()
        ),
        iam.PolicyStatement(actions=["sagemaker:AddTags"], resources=list(jobs.values())),
        iam.PolicyStatement(
            actions=["iam:PassRole"],
            resources=[role.role_arn],
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
        iam.PolicyStatement(
            actions=["events:PutTargets", "events:PutRule", "events:DescribeRule"],
            resources=[stack.format_arn(service="events", resource="rule", resource_name=rule) for rule in rules],
        ),
    ]
