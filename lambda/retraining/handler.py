"""Starts retrainings: at once when a schedule says so, and some time after the last upload when new data arrives.

An upload only (re)sets a one-time schedule, so a hundred files make one retraining. When a run is under way the
retraining waits its turn in the same way, and one that comes later takes its place.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Answer an S3 event, a schedule of the settings, or the one-time schedule made here.

    Parameters
    ----------
    event : Mapping
        EventBridge's envelope, or an empty object from the one-time schedule.
    context : object
        Lambda's; names this function.
    """
    states = boto3.client("stepfunctions")
    machine = os.environ["STATE_MACHINE_ARN"]
    running = states.list_executions(stateMachineArn=machine, statusFilter="RUNNING", maxResults=1)["executions"]
    if event.get("source") == "aws.s3" or running:
        postpone(boto3.client("scheduler"), context.invoked_function_arn)
        return
    name = os.environ["RUN_PARAMETER"]
    run = json.loads(boto3.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    workflow_input = {"mode": "retrain", "run": on_present_data(run, boto3.client("s3"), os.environ.get("TRAIN_URI"))}
    states.start_execution(stateMachineArn=machine, name=str(uuid.uuid4()), input=json.dumps(workflow_input))


def postpone(scheduler: Any, function_arn: str) -> None:
    """Set the one-time schedule to the settings' delay from now, whether it is there or not."""
    due = datetime.now(UTC) + timedelta(seconds=int(os.environ["DEBOUNCE_SECONDS"]))
    schedule = {
        "Name": os.environ["SCHEDULE_NAME"],
        "ScheduleExpression": f"at({due:%Y-%m-%dT%H:%M:%S})",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "ActionAfterCompletion": "DELETE",
        "Target": {"Arn": function_arn, "RoleArn": os.environ["SCHEDULE_ROLE_ARN"], "Input": "{}"},
    }
    try:
        scheduler.update_schedule(**schedule)
    except scheduler.exceptions.ResourceNotFoundException:
        scheduler.create_schedule(**schedule)
    logger.info("the next retraining is due at %s", due)


def on_present_data(run: Mapping[str, Any], s3: Any, uri: str | None) -> dict[str, Any]:
    """Return `run` with a key of its own for what lies below its training prefix `uri` now.

    A local file cannot change after the deploy, so without a prefix the run stays as it was deployed.
    """
    if not uri:
        return dict(run)
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    tags = sorted(f"{item['Key']} {item['ETag']}" for page in pages for item in page.get("Contents", []))
    dataset = hashlib.sha256("\n".join([run["dataset_hash"], *tags]).encode()).hexdigest()
    key = hashlib.sha256(f"{run['key']} {dataset}".encode()).hexdigest()[:16]
    return {**run, "key": key, "dataset_hash": dataset}
