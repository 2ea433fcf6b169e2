"""API Gateway's REST APIs: moto keeps the definitions, a deployment freezes one, its stages serve it."""

from __future__ import annotations

from moto.apigateway.models import Stage, apigateway_backends

from sandbox.restapis.models import RestApiBackend
from sandbox.restapis.snapshot import default_method_settings
from sandbox.runtime import Runtime


def install(runtime: Runtime) -> None:
    """Put this room's backend in moto's place; called once, before the server listens."""
    RestApiBackend.runtime = runtime
    setattr(Stage, "_get_default_method_settings", default_method_settings)  # noqa: B010 - moto throttles too early
    apigateway_backends.backend = RestApiBackend
