"""Calls of AWS APIs from a state machine: bounded in time, retried, and with their failures explained."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stacks.constructs.failure_path import FailurePath

TIMEOUT = Duration.minutes(1)
_TASK_TIMEOUT = sfn.Timeout.duration(TIMEOUT)
_BETWEEN_TRIES = Duration.seconds(2)


def aws_call(
    scope: Construct, construct_id: str, *, failure: FailurePath | None = None, **call: Any
) -> tasks.CallAwsService:
    """Return a task that calls one action of an AWS service; `call` is CallAwsService's.

    Parameters
    ----------
    failure : FailurePath
        Where errors go after two more tries; without it they are the caller's to catch.
    """
    task = tasks.CallAwsService(scope, construct_id, task_timeout=_TASK_TIMEOUT, **call)
    if failure:
        task.add_retry(max_attempts=2, interval=_BETWEEN_TRIES, errors=["States.TaskFailed"])
        failure.catch(task)
    return task


def objects(bucket: s3.IBucket, *keys: str) -> list[str]:
    """Return the ARNs of objects of `bucket`."""
    return [bucket.arn_for_objects(key) for key in keys]
