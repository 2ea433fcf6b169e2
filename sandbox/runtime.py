"""What every room of the sandbox must know: where it listens, where it keeps files, who it pretends to be."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from sandbox.sessions import access_key_id

ACCESS_KEY_ID = "AKIASAGESCALESANDBOX"  # of its own: the CDK CLI caches account ids per access key
SECRET_ACCESS_KEY = "sagescale-sandbox"  # noqa: S105 - opens nothing but this process
ACCOUNT_ID = "123456789012"

_client_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """One running sandbox.

    Parameters
    ----------
    directory : Path
        Holds state, logs and the files of jobs and instances; made by ``sandbox up``.
    port : int
        Loopback port of the front: every AWS API.
    dataplane_port : int
        Loopback port of the data plane: InvokeEndpoint and deployed REST APIs.
    region : str
        The one region the sandbox plays.
    """

    directory: Path
    port: int
    dataplane_port: int
    region: str = "us-east-1"

    @property
    def endpoint_url(self) -> str:
        """Address of the front."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def dataplane_url(self) -> str:
        """Address of the data plane."""
        return f"http://127.0.0.1:{self.dataplane_port}"

    @property
    def docker(self) -> Path:
        """Program that the CDK CLI calls for image assets."""
        return self.directory / "bin" / "docker"

    def environment(self, role_arn: str | None = None) -> dict[str, str]:
        """Return the variables that point ``cdk``, ``aws`` and boto3 at this sandbox, as its user or as a role."""
        return {
            "AWS_ACCESS_KEY_ID": access_key_id(role_arn) if role_arn else ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": self.dataplane_url,
            "CDK_DOCKER": str(self.docker),
            "CDK_DISABLE_CLI_TELEMETRY": "true",  # else each command leaves a process that reports to AWS
        }

    def client(self, service: str, role_arn: str | None = None) -> Any:
        """Return the cached boto3 client of `service`, pointed at this sandbox, of its user or of a role."""
        with _client_lock:
            return _make_client(service, self, role_arn)


@cache
def _make_client(service: str, runtime: Runtime, role_arn: str | None) -> Any:
    url = runtime.dataplane_url if service == "sagemaker-runtime" else runtime.endpoint_url
    return boto3.client(
        service,
        region_name=runtime.region,
        endpoint_url=url,
        aws_access_key_id=access_key_id(role_arn) if role_arn else ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=50),
    )
