"""Puts the endpoint to sleep, or wakes it, by an update of its own stack: the template stays, one parameter changes.

CloudFormation knows what there is at all times, so a deploy neither wakes a sleeping endpoint nor trips over it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

PARAMETER = "EndpointState"
AWAKE, ASLEEP = "awake", "asleep"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
NOTHING_TO_DO = "No updates are to be performed"
PERIOD_SECONDS = 300

logger = logging.getLogger()
logger.setLevel(logging.INFO)


class BusyError(Exception):
    """The endpoint was called a short while ago; the message says how often."""


class NoSuchStateError(Exception):
    """The stack's endpoint cannot sleep; the message says what to do."""


def handler(event: Mapping[str, str], _context: object) -> None:
    """Bring the endpoint into the state that a schedule names: ``{"state": "asleep"}`` or ``{"state": "awake"}``."""
    if event["state"] == ASLEEP:
        refuse_if_busy(
            boto3.client("cloudwatch"),
            os.environ["ENDPOINT_NAME"],
            os.environ["VARIANTS"].split(","),
            int(os.environ["IDLE_MINUTES"]),
        )
    changed = switch(boto3.client("cloudformation"), os.environ["STACK"], event["state"])
    logger.info("the endpoint %s %s", "will be" if changed else "is already", event["state"])


def refuse_if_busy(cloudwatch: Any, endpoint_name: str, variants: Iterable[str], idle_minutes: int) -> None:
    """Raise BusyError if the endpoint had requests in the last minutes.

    Parameters
    ----------
    variants : iterable of str
        Every variant that answers.
    idle_minutes : int
        How far back to look. CloudWatch knows a request a minute or two later.
    """
    now = datetime.now(UTC)
    requests = sum(_requests(cloudwatch, endpoint_name, variant, now, idle_minutes) for variant in variants)
    if requests:
        raise BusyError(
            f"endpoint {endpoint_name} had {requests:.0f} requests in the last {idle_minutes} minutes: it stays awake "
            "unless it is forced"
        )


def _requests(cloudwatch: Any, endpoint_name: str, variant: str, now: datetime, minutes: int) -> float:
    """Return a variant's requests since some minutes ago, up to a day ahead: a clock that differs hides none."""
    answer = cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint_name}, {"Name": "VariantName", "Value": variant}],
        StartTime=now - timedelta(minutes=minutes),
        EndTime=now + timedelta(days=1),
        Period=PERIOD_SECONDS,
        Statistics=["Sum"],
    )
    return sum(float(point["Sum"]) for point in answer["Datapoints"])


def switch(cloudformation: Any, stack: str, state: str) -> bool:
    """Start the update that brings the stack's endpoint into `state`; return whether there is one to wait for.

    Raises
    ------
    NoSuchStateError
        The stack has no such parameter.
    """
    (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    names = [parameter["ParameterKey"] for parameter in described.get("Parameters", [])]
    if PARAMETER not in names:
        raise NoSuchStateError(f"stack {described['StackName']} never sleeps: add [endpoint.sleep] and deploy")
    kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in names if name != PARAMETER]
    try:
        cloudformation.update_stack(
            StackName=stack,
            UsePreviousTemplate=True,
            Parameters=[*kept, {"ParameterKey": PARAMETER, "ParameterValue": state}],
            Capabilities=CAPABILITIES,
        )
    except ClientError as error:
        if NOTHING_TO_DO not in str(error):
            raise
        return False
    return True
