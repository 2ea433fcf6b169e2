"""What runs by itself: the jobs of a state machine, and how often rules and schedules start it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from autoscaling.schedules import occurrences, parse_schedule
from costs.template import Template

YEAR = datetime(2026, 1, 1, tzinfo=UTC)  # any that is no leap year


class Job(NamedTuple):
    """A SageMaker job of a state; one that tunes counts as all its jobs."""

    instance_type: str
    instances: int
    most_seconds: float
    trains: bool


def jobs_of(states: Iterable[Mapping[str, Any]]) -> list[Job]:
    """Return the jobs of a state machine's states."""
    return [job for state in states if (job := _job(state.get("Parameters", {})))]


def _job(parameters: Mapping[str, Any]) -> Job | None:
    limits = parameters.get("HyperParameterTuningJobConfig", {}).get("ResourceLimits", {})
    parameters = {**parameters, **parameters.get("TrainingJobDefinition", {})}
    training = parameters.get("ResourceConfig")
    cluster = training or parameters.get("ProcessingResources", {}).get("ClusterConfig")
    if not cluster:
        return None
    instances = cluster["InstanceCount"] * limits.get("MaxNumberOfTrainingJobs", 1)
    most_seconds = parameters["StoppingCondition"]["MaxRuntimeInSeconds"]
    return Job(cluster["InstanceType"], instances, most_seconds, trains=training is not None)


def scheduled_runs(template: Template, machine: str) -> float:
    """Return how often a month rules and schedules start a state machine, themselves or through a function."""
    return sum(
        runs_a_month(each.properties["ScheduleExpression"])
        for each in template.of_type("AWS::Events::Rule", "AWS::Scheduler::Schedule")
        if "ScheduleExpression" in each.properties
        and each.properties.get("State") != "DISABLED"
        and machine in template.reached(each, "AWS::StepFunctions::StateMachine")
    )


def runs_a_month(expression: str) -> float:
    """Return how often a schedule is due in an average month: a year's occurrences by twelve."""
    due = occurrences(parse_schedule(expression), ZoneInfo("UTC"), YEAR, YEAR + timedelta(days=365), YEAR)
    return len(due) / 12
