"""The seam to moto: the backend of each region, holding the sandbox's own CloudFormation.

moto finds a service's ``urls`` module beside the module of its backend class.
"""

from __future__ import annotations

from typing import ClassVar

from moto.core.base_backend import BackendDict, BaseBackend

from sandbox.cloudformation.service import CloudFormationService
from sandbox.runtime import Runtime


class CloudFormationBackend(BaseBackend):
    """CloudFormation in one region."""

    runtime: ClassVar[Runtime]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.service = CloudFormationService(self.runtime, region_name)


cloudformation_backends = BackendDict(CloudFormationBackend, "cloudformation")
