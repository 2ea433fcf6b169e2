"""Hyperparameter tuning as a step of the workflow: CreateHyperParameterTuningJob's parameters, and the best job.

Tuning-job names have at most 32 characters, so they begin with a part of the environment's prefix only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from config.algorithms import Goal
from config.tuning import ContinuousRange, IntegerRange, Tuning

NAME_CHARACTERS = 14  # of the prefix; the run's and the attempt's part of the name take 13 more
SHORT_RUN = "States.ArrayGetItem(States.StringSplit($$.Execution.Name, '-'), 0)"
STRATEGIES = {"bayesian": "Bayesian", "random": "Random", "grid": "Grid", "hyperband": "Hyperband"}
SCALES = {
    "auto": "Auto",
    "linear": "Linear",
    "logarithmic": "Logarithmic",
    "reverse_logarithmic": "ReverseLogarithmic",
}


def tuning_parameters(
    tuning: Tuning, *, prefix: str, objective: tuple[str, Goal], training: Mapping[str, Any]
) -> dict[str, Any]:
    """Return CreateHyperParameterTuningJob's parameters.

    Parameters
    ----------
    objective : tuple of str
        The metric to follow, and whether to maximize or minimize it.
    training : Mapping[str, Any]
        CreateTrainingJob's parameters of each of its jobs.
    """
    metric, goal = objective
    shared = {"TrainingJobName.$", "HyperParameters.$"}
    definition = {name: value for name, value in training.items() if name not in shared}
    name = f"States.Format('{name_prefix(prefix)}-{{}}-{{}}-{{}}', {SHORT_RUN}, $.job.attempt, $$.State.RetryCount)"
    return {
        "HyperParameterTuningJobName.$": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": STRATEGIES[tuning.strategy],
            "HyperParameterTuningJobObjective": {
                "Type": goal.capitalize(),
                "MetricName": metric,
            },
            "ResourceLimits": {
                "MaxNumberOfTrainingJobs": tuning.max_jobs,
                "MaxParallelTrainingJobs": tuning.max_parallel_jobs,
            },
            "ParameterRanges": _ranges(tuning),
            "TrainingJobEarlyStoppingType": "Auto" if tuning.early_stopping else "Off",
        },
        "TrainingJobDefinition": {**definition, "StaticHyperParameters.$": "$.run.hyperparameters"},
    }


def name_prefix(prefix: str) -> str:
    """Return what the names of an environment's tuning jobs begin with."""
    return prefix[:NAME_CHARACTERS].rstrip("-")


def tuning_statements(scope: Construct, prefix: str) -> list[iam.PolicyStatement]:
    """Return what a state machine needs to run tuning jobs and to wait for their end."""
    stack = Stack.of(scope)
    jobs = stack.format_arn(
        service="sagemaker", resource="hyper-parameter-tuning-job", resource_name=f"{name_prefix(prefix)}-*"
    )
    rule = stack.format_arn(
        service="events", resource="rule", resource_name="StepFunctionsGetEventsForSageMakerTuningJobsRule"
    )
    verbs = ("Create", "Describe", "Stop")
    return [
        iam.PolicyStatement(
            actions=[*(f"sagemaker:{verb}HyperParameterTuningJob" for verb in verbs), "sagemaker:AddTags"],
            resources=[jobs],
        ),
        iam.PolicyStatement(actions=["events:PutTargets", "events:PutRule", "events:DescribeRule"], resources=[rule]),
    ]


def _ranges(tuning: Tuning) -> dict[str, Any]:
    return {
        "ContinuousParameterRanges": [_range(name, values) for name, values in tuning.continuous.items()],
        "IntegerParameterRanges": [_range(name, values) for name, values in tuning.integer.items()],
        "CategoricalParameterRanges": [
            {"Name": name, "Values": list(values)} for name, values in tuning.categorical.items()
        ],
    }


def _range(name: str, values: ContinuousRange | IntegerRange) -> dict[str, str]:
    return {
        "Name": name,
        "MinValue": str(values.min),
        "MaxValue": str(values.max),
        "ScalingType": SCALES[values.scale],
    }
