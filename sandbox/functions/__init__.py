"""Lambda without Docker: a function version is a warm local process."""

from __future__ import annotations

from moto.awslambda import models

from sandbox.functions.backend import Function, FunctionsBackend, Workers
from sandbox.runtime import Runtime


def install(runtime: Runtime) -> None:
    """Put this room's backend and functions in moto's place; called once, before the server listens."""
    Function.workers = Workers(runtime)
    models.LambdaFunction = Function  # type: ignore[misc] # moto's backend makes its functions from this name
    models.lambda_backends.backend = FunctionsBackend


def shutdown() -> None:
    """End every worker."""
    Function.workers.stop()
