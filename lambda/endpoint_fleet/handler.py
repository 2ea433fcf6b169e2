"""Custom resource Fleet: how many instances each variant of a new endpoint starts with.

An endpoint gets a new name when its variants or their instance types change. The new one must start as large as the
one it follows has grown, or the switch would drop the load that scaled it out. `VARIANTS` in the environment holds the
bounds of each: they are no properties of the resource, because it is made with an endpoint and not asked again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError
from cloudformation_answer import answering

MISSING = ("ParameterNotFound", "ValidationException", "ResourceNotFound")


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Answer CloudFormation with one attribute a variant: its number of instances."""
    answering(event, event.get("PhysicalResourceId", f"fleet-{event['RequestId']}"), counts)


def counts(event: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Return instances by variant: what runs today within the bounds, else the initial count of the settings."""
    if event["RequestType"] == "Delete":
        return None
    wanted = json.loads(os.environ["VARIANTS"])
    running = _running()
    return {name: str(_count(bounds, running.get(name))) for name, bounds in wanted.items()}


def _count(bounds: Mapping[str, int], running: int | None) -> int:
    if running is None:
        return bounds["initial_instance_count"]
    return max(bounds["initial_instance_count"], min(running, bounds["max_capacity"]))


def _running() -> dict[str, int]:
    """Return instances by variant of the endpoint that serves now; empty where there is none."""
    try:
        name = boto3.client("ssm").get_parameter(Name=os.environ["ENDPOINT_NAME_PARAMETER"])["Parameter"]["Value"]
        endpoint = boto3.client("sagemaker").describe_endpoint(EndpointName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            return {}
        raise
    return {variant["VariantName"]: variant["CurrentInstanceCount"] for variant in endpoint["ProductionVariants"]}
