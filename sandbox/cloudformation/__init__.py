"""CloudFormation as AWS runs it, strict enough that what deploys here deploys there.

Reading order: `template` and `intrinsics` (what is wanted), `planning` (what would change), `convergence` and
`deletion` (doing it), `operations` (in which order, and the way back), `service` (many stacks), `responses` (the API).
"""

from __future__ import annotations

from typing import Any

from moto import backends

from sandbox.cloudformation import provisioners
from sandbox.cloudformation.models import CloudFormationBackend, cloudformation_backends
from sandbox.runtime import Runtime

__all__ = ["install", "provisioners"]


def install(runtime: Runtime) -> None:
    """Make moto find this CloudFormation where it looks for its own.

    moto's own module is not even imported: it loads the models of thirty services, which doubles the time to start.
    """
    CloudFormationBackend.runtime = runtime
    find_in_moto: Any = backends.get_backend

    def get_backend(name: str) -> Any:
        return cloudformation_backends if name == "cloudformation" else find_in_moto(name)

    backends.get_backend = get_backend
