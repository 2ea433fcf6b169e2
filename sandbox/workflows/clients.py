"""The boto3 clients of running state machines: cached, and pointed at this sandbox."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from sandbox.runtime import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Runtime
from sandbox.sessions import access_key_id

READ_TIMEOUT_SECONDS = 900  # a synchronous Lambda invocation may take that long

_lock = threading.Lock()
_runtime: list[Runtime] = []


def use(runtime: Runtime) -> None:
    """Point all clients at `runtime`."""
    _runtime[:] = [runtime]
    _make.cache_clear()


def client_for(service: str, state_credentials: Any = None, **_: Any) -> Any:
    """Return the client of `service`, of the role that a state runs with; moto passes a region too, there is one."""
    with _lock:
        return _make(service, state_credentials.role_arn if state_credentials else None)


@cache
def _make(service: str, role_arn: str | None) -> Any:
    (runtime,) = _runtime
    return boto3.client(
        service,
        region_name=runtime.region,
        endpoint_url=runtime.endpoint_url,
        aws_access_key_id=access_key_id(role_arn) if role_arn else ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        config=Config(
            parameter_validation=False,  # the service answers, as in AWS
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"total_max_attempts": 1},
            max_pool_connections=50,
        ),
    )
