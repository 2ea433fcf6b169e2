"""SageMaker: jobs are local processes in the ``/opt/ml`` layout, endpoints are model servers behind the data plane."""

from __future__ import annotations

from moto.sagemaker.models import sagemaker_backends

from sandbox.logs import LogShipper
from sandbox.runtime import Runtime
from sandbox.sagemaker.models import SageMakerBackend


def install(runtime: Runtime) -> None:
    """Put this room's backend in moto's place; called once, before the server listens."""
    SageMakerBackend.runtime = runtime
    SageMakerBackend.shipper = LogShipper(runtime)
    sagemaker_backends.backend = SageMakerBackend


def shutdown() -> None:
    """Stop every job and every model server."""
    for _, _, backend in sagemaker_backends.iter_backends():
        if isinstance(backend, SageMakerBackend):
            backend.stop_everything()
    SageMakerBackend.shipper.stop()
