"""The machines of a processing or a training job, as long as it runs: their logs, their inputs, their time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.logs import LogShipper
from sandbox.runtime import Runtime
from sandbox.sagemaker.container import Instance, instances
from sandbox.sagemaker.job import Job
from sandbox.sagemaker.requests import Request
from sandbox.sagemaker.transfer import download_prefix

DEFAULT_MAX_RUNTIME_SECONDS = 86_400  # API_StoppingCondition.html, API_ProcessingStoppingCondition.html


@contextmanager
def cluster(job: Job, count: int, *, runtime: Runtime, shipper: LogShipper) -> Iterator[list[Instance]]:
    """Yield the `count` machines of `job`, whose logs are shipped until the end."""
    machines = instances(runtime.directory / f"{job.arn_type}s" / job.name, count)
    group, role_arn = f"/aws/sagemaker/{job.kind}s", job.request["RoleArn"]
    for machine in machines:
        shipper.follow(machine.log, group=group, stream=job.log_stream(machine.host), role_arn=role_arn)
    try:
        yield machines
    finally:
        shipper.release(*(machine.log for machine in machines))


def download_share(s3: Any, source: dict[str, Any], target: Path, *, number: int, count: int) -> None:
    """Copy what machine `number` of `count` gets of an S3 input: all of it, or with ShardedByS3Key its share."""
    shared = source.get("S3DataDistributionType") == "ShardedByS3Key"
    shard, shards = (number, count) if shared else (0, 1)
    download_prefix(s3, source["S3Uri"], target, shard=shard, shards=shards)


def max_runtime_seconds(request: Request) -> float:
    """Return how long a job may run."""
    condition = request.get("StoppingCondition") or {}
    return float(condition.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS))
