"""Step Functions: moto's interpreter, switched on and corrected, with the SageMaker integration it lacks."""

from __future__ import annotations

import importlib
import threading
from functools import cache
from types import ModuleType
from typing import Any

from moto.core.config import default_user_config
from moto.stepfunctions import responses

from sandbox.runtime import Runtime
from sandbox.workflows import clients

_lock = threading.Lock()
_moto_get_backend = responses.get_backend


def install(runtime: Runtime) -> None:
    """Set this room's seams in moto; called once, before the server listens."""
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    clients.use(runtime)
    responses.get_backend = _get_backend


def shutdown() -> None:
    """Stop every execution, so that none starts another job."""
    if _interpreter.cache_info().currsize:
        _interpreter().stop_executions()


def _get_backend(account: str, region: str) -> Any:
    with _lock:
        _interpreter()
    return _moto_get_backend(account, region)


@cache
def _interpreter() -> ModuleType:
    """Return the interpreter's module; the first call imports and corrects it."""
    module = importlib.import_module("sandbox.workflows.interpreter")
    module.correct()
    return module
