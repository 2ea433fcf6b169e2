"""Deletes resources, dependants first, independent ones side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sandbox.cloudformation.convergence import make_request
from sandbox.cloudformation.failures import describe_error, is_gone
from sandbox.cloudformation.graph import Graph, reverse, run_in_order
from sandbox.cloudformation.provisioner import find_provisioner
from sandbox.cloudformation.stack import Resource, Stack
from sandbox.runtime import Runtime


def delete_resources(
    runtime: Runtime,
    stack: Stack,
    resources: Sequence[Resource],
    graph: Graph,
    *,
    keep: frozenset[str],
) -> list[Resource]:
    """Delete `resources` against the direction of `graph`.

    Parameters
    ----------
    resources : Sequence of Resource
        Several may share a logical id: what a replacement left beside what a rollback left.
    graph : dict of set of str
        Logical id to the logical ids it depends on.
    keep : frozenset of str
        Deletion policies that leave the physical resource behind (DELETE_SKIPPED).

    Returns
    -------
    list of Resource
        Those that could not be deleted, and those they depend on, which were not tried.
    """
    by_id: dict[str, list[Resource]] = defaultdict(list)
    for resource in resources:
        by_id[resource.logical_id].append(resource)
    remaining = list(resources)

    def work(logical_id: str) -> bool:
        for resource in by_id.get(logical_id, []):
            if not _delete(runtime, stack, resource, keep):
                return False
            remaining.remove(resource)
        return True

    nodes = reverse({name: set() for name in by_id} | graph)
    run_in_order(nodes, work, stop_on_failure=False)
    return remaining


def _delete(runtime: Runtime, stack: Stack, resource: Resource, keep: frozenset[str]) -> bool:
    if resource.physical_id is None:
        return True
    if resource.deletion_policy in keep:
        stack.turn_resource(resource, "DELETE_SKIPPED")
        return True
    provisioner = find_provisioner(resource.type_name)
    assert provisioner is not None
    stack.turn_resource(resource, "DELETE_IN_PROGRESS")
    try:
        provisioner.delete(make_request(runtime, stack, resource, physical_id=resource.physical_id))
    except Exception as error:
        if not is_gone(error):
            stack.turn_resource(resource, "DELETE_FAILED", describe_error(error))
            return False
    stack.turn_resource(resource, "DELETE_COMPLETE")
    return True
