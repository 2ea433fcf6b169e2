"""Custom resource ServedConfig: fails the deploy when the endpoint does not serve the config it was given.

SageMaker can end an update InService on the old config; the status alone would report that as success.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from cloudformation_answer import answering


class WrongConfigError(Exception):
    """The endpoint serves another config than the deployed one."""


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Answer CloudFormation after comparing the served config with the wanted one."""
    answering(event, "served-config", check)


def check(event: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Return the served config's name; raise when it is not the wanted one."""
    if event["RequestType"] == "Delete":
        return None
    wanted = event["ResourceProperties"]
    endpoint = boto3.client("sagemaker").describe_endpoint(EndpointName=wanted["EndpointName"])
    served = endpoint["EndpointConfigName"]
    if served != wanted["EndpointConfigName"]:
        raise WrongConfigError(
            f"endpoint {wanted['EndpointName']} is {endpoint['EndpointStatus']} on {served}, not on "
            f"{wanted['EndpointConfigName']}: {endpoint.get('FailureReason', 'SageMaker gave no reason')}"
        )
    return {"EndpointConfigName": served}
