"""Custom resource TrainedModel: starts the training workflow, whose last step (training_answer) answers CloudFormation.

Nothing waits here: an execution takes minutes to most of an hour, a function 15 minutes at most.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

import boto3
from cloudformation_answer import ECHOED, answer, logger

PHYSICAL_ID = "trained-model"  # stable: a replacement would be deleted, and there is nothing to delete
PATIENCE_SECONDS = 30.0  # a run answers CloudFormation just before it ends, and a rollback follows at once
POLL_SECONDS = 0.5


class BusyError(Exception):
    """Another run is under way."""


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Start a run for Create and Update; a Delete has nothing to do."""
    if event["RequestType"] == "Delete":
        answer(event, "SUCCESS", physical_id=PHYSICAL_ID)
        return
    try:
        start(boto3.client("stepfunctions"), os.environ["STATE_MACHINE_ARN"], event)
    except Exception as error:
        logger.exception("the training workflow did not start")
        reason = f"the training workflow did not start: {error}"
        answer(event, "FAILED", physical_id=PHYSICAL_ID, reason=reason)


def start(client: Any, state_machine_arn: str, event: Mapping[str, Any]) -> None:
    """Start one execution; calling it again for the same event is harmless."""
    name = event["RequestId"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while other := _other_run(client, state_machine_arn, name):
        if time.monotonic() > deadline:
            raise BusyError(f"run {other} is under way, and runs go one at a time: deploy again when it has ended")
        time.sleep(POLL_SECONDS)
    run = json.loads(event["ResourceProperties"]["Run"])
    workflow_input = {
        "mode": "deploy",
        "run": run,
        "cloudformation": {key: event[key] for key in ("ResponseURL", *ECHOED)},
    }
    client.start_execution(stateMachineArn=state_machine_arn, name=name, input=json.dumps(workflow_input))
    logger.info("run %s started for key %s", name, run["key"])


def _other_run(client: Any, state_machine_arn: str, name: str) -> str | None:
    running = client.list_executions(stateMachineArn=state_machine_arn, statusFilter="RUNNING", maxResults=10)
    return next((run["name"] for run in running["executions"] if run["name"] != name), None)
