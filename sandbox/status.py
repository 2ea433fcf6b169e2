"""What ``/_sandbox/status`` tells: who serves, which stacks there are, what of them is recorded only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from sandbox.cloudformation.models import cloudformation_backends
from sandbox.cloudformation.provisioner import find_provisioner
from sandbox.cloudformation.stack import Stack
from sandbox.runtime import ACCOUNT_ID, Runtime


def describe(runtime: Runtime) -> dict[str, Any]:
    """Return the sandbox's state.

    Returns
    -------
    dict
        ``pid``, ``endpoint_url``, ``dataplane_url``, ``region``; ``stacks`` with name, status and number of resources;
        ``recorded_only`` with stack, logical_id, type and why nothing acts on it.
    """
    stacks = list(cloudformation_backends[ACCOUNT_ID][runtime.region].service.live_stacks())
    return {
        "pid": os.getpid(),
        "endpoint_url": runtime.endpoint_url,
        "dataplane_url": runtime.dataplane_url,
        "region": runtime.region,
        "stacks": [{"name": stack.name, "status": stack.status, "resources": len(stack.resources)} for stack in stacks],
        "recorded_only": [entry for stack in stacks for entry in _recorded_only(stack)],
    }


def _recorded_only(stack: Stack) -> Iterator[dict[str, str]]:
    for resource in list(stack.resources.values()):
        provisioner = find_provisioner(resource.type_name)
        if provisioner and provisioner.inert:
            yield {
                "stack": stack.name,
                "logical_id": resource.logical_id,
                "type": resource.type_name,
                "why": provisioner.inert,
            }
