"""Custom resource EmptiedBucket: empties a bucket when its stack is deleted, all versions included.

Only environments that do not retain their data have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from cloudformation_answer import answer, answering


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Empty the bucket on Delete; answer CloudFormation."""
    bucket = event["ResourceProperties"]["BucketName"]
    if event["RequestType"] != "Delete":
        answer(event, "SUCCESS", physical_id=bucket)
        return
    answering(event, bucket, lambda _: empty(bucket))


def empty(bucket: str) -> None:
    """Delete every version of every object."""
    boto3.resource("s3").Bucket(bucket).object_versions.delete()
