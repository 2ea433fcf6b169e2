"""Custom resource TrainedModel: starts the training workflow, whose last step (training_answer) answers CloudFormation.

Nothing waits here: an execution takes minutes to most of an hour, a function 15 minutes at most.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import boto3
from cloudformation_answer import ECHOED, answer, logger

PHYSICAL_ID = "trained-model"  # stable: a replacement would be deleted, and there is nothing to delete


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
    running = client.list_executions(stateMachineArn=state_machine_arn, statusFilter="RUNNING", maxResults=10)
    name = event["RequestId"]
    if others := [run["name"] for run in running["executions"] if run["name"] != name]:
        raise BusyError(f"run {others[0]} is under way, and runs go one at a time: deploy again when it has ended")
    run = json.loads(event["ResourceProperties"]["Run"])
    workflow_input = {
        "mode": "deploy",
        "run": run,
        "cloudformation": {key: event[key] for key in ("ResponseURL", *ECHOED)},
    }
    client.start_execution(stateMachineArn=state_machine_arn, name=name, input=json.dumps(workflow_input))
    logger.info("run %s started for key %s", name, run["key"])
