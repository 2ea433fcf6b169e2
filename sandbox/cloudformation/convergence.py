"""Brings a stack's resources to a desired state: create before delete, independent resources side by side.

Nothing is deleted here. What a replacement or the new template leaves behind is *retired*; `deletion` removes it when
the operation has succeeded, or when a rollback has put everything back (the user guide's "clean-up" phase).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.cloudformation.failures import OperationFailedError, describe_error
from sandbox.cloudformation.graph import dependency_graph, run_in_order
from sandbox.cloudformation.intrinsics import IntrinsicError, Resolver
from sandbox.cloudformation.planning import active_resources
from sandbox.cloudformation.provisioner import Outcome, Provisioner, ProvisioningError, Request, find_provisioner
from sandbox.cloudformation.stack import Desired, Resource, Stack
from sandbox.cloudformation.template import Declaration
from sandbox.runtime import Runtime

REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."


class Convergence:
    """One pass that creates, updates and replaces resources.

    Attributes
    ----------
    retired : list of Resource
        What the pass left behind, for the clean-up.
    """

    def __init__(self, runtime: Runtime, stack: Stack, desired: Desired, resolver: Resolver) -> None:
        self._runtime = runtime
        self._stack = stack
        self._desired = desired
        self._resolver = resolver
        self._failures: dict[str, str] = {}
        self.retired: list[Resource] = []

    def run(self) -> None:
        """Bring every resource to its desired state.

        Raises
        ------
        OperationFailedError
            Names the resources that failed.
        """
        active = active_resources(self._desired.template, self._resolver)
        dependencies = dependency_graph(self._desired.template)
        graph = {name: dependencies[name] & active for name in active}
        if run_in_order(graph, self._apply, stop_on_failure=True):
            raise OperationFailedError(self._describe_failures())
        if self._stack.cancelled.is_set():
            raise OperationFailedError("User Initiated")
        for name in [name for name in self._stack.resources if name not in active]:
            self.retired.append(self._stack.resources.pop(name))

    def _describe_failures(self) -> str:
        by_verb: dict[str, list[str]] = {}
        for name, verb in sorted(self._failures.items()):
            by_verb.setdefault(verb.lower(), []).append(name)
        return " ".join(
            f"The following resource(s) failed to {verb}: [{', '.join(names)}]." for verb, names in by_verb.items()
        )

    def _apply(self, logical_id: str) -> bool:
        declaration = self._desired.template.resources[logical_id]
        current = self._stack.resources.get(logical_id)
        exists = current is not None and current.physical_id is not None
        wanted = _resource(declaration, {})
        if self._stack.cancelled.is_set():
            return False  # never started: AWS reports only what was under way
        try:
            wanted.properties = self._resolver.resolve(dict(declaration.properties))
        except IntrinsicError as error:
            self._stack.resources.setdefault(logical_id, wanted)
            return self._fail(self._stack.resources[logical_id], "UPDATE" if exists else "CREATE", str(error))
        provisioner = find_provisioner(declaration.type_name)
        assert provisioner is not None
        return self._change(provisioner, current, wanted) if current and exists else self._create(provisioner, wanted)

    def _change(self, provisioner: Provisioner, current: Resource, wanted: Resource) -> bool:
        changed = changed_properties(current.properties, wanted.properties)
        replaced_policy = current.update_replace_policy
        current.deletion_policy = wanted.deletion_policy
        current.update_replace_policy = wanted.update_replace_policy
        if any(provisioner.needs_replacement(name) for name in changed):
            return self._replace(provisioner, current, wanted, replaced_policy)
        if changed or current.status.endswith("_FAILED"):
            return self._update(provisioner, current, wanted, replaced_policy)
        return True

    def _create(self, provisioner: Provisioner, wanted: Resource) -> bool:
        self._stack.resources[wanted.logical_id] = wanted
        self._stack.turn_resource(wanted, "CREATE_IN_PROGRESS")
        return self._provision(provisioner.create, wanted, self._request(wanted), "CREATE")

    def _replace(self, provisioner: Provisioner, current: Resource, wanted: Resource, replaced_policy: str) -> bool:
        self._stack.turn_resource(wanted, "UPDATE_IN_PROGRESS", REPLACING)
        if self._provision(provisioner.create, wanted, self._request(wanted), "UPDATE"):
            self._stack.resources[wanted.logical_id] = wanted
            self._retire(current, replaced_policy)
            return True
        if wanted.physical_id:
            self._retire(wanted, "Delete")
        return False

    def _update(self, provisioner: Provisioner, current: Resource, wanted: Resource, replaced_policy: str) -> bool:
        if refused := provisioner.cannot_update(changed_properties(current.properties, wanted.properties)):
            return self._fail(current, "UPDATE", f"The sandbox cannot change {sorted(refused)} in place.")
        before = copy.copy(current)
        current.properties = wanted.properties
        self._stack.turn_resource(current, "UPDATE_IN_PROGRESS")
        request = self._request(current, old_properties=before.properties, physical_id=before.physical_id)
        succeeded = self._provision(provisioner.update, current, request, "UPDATE")
        if current.physical_id == before.physical_id:
            return succeeded
        if provisioner.renamed_by_update:
            self._retire(before, replaced_policy)
            return succeeded
        new, current.physical_id = current.physical_id, before.physical_id  # to retire the old id would delete the new
        return self._fail(current, "UPDATE", f"The sandbox's update in place made {new} of {before.physical_id}.")

    def _provision(self, work: Callable[[Request], Outcome], resource: Resource, request: Request, verb: str) -> bool:
        try:
            outcome = work(request)
        except Exception as error:
            if isinstance(error, ProvisioningError) and error.physical_id:
                resource.physical_id = error.physical_id
            return self._fail(resource, verb, describe_error(error))
        resource.physical_id, resource.attributes = outcome.physical_id, outcome.attributes
        self._stack.turn_resource(resource, f"{verb}_COMPLETE")
        return True

    def _fail(self, resource: Resource, verb: str, reason: str) -> bool:
        self._stack.turn_resource(resource, f"{verb}_FAILED", reason)
        self._failures[resource.logical_id] = verb
        self._stack.cancelled.set()  # what runs beside it stops waiting
        return False

    def _retire(self, resource: Resource, policy: str) -> None:
        retired = copy.copy(resource)
        retired.deletion_policy = policy
        self.retired.append(retired)

    def _request(self, resource: Resource, **more: Any) -> Request:
        return make_request(self._runtime, self._stack, resource, cancelled=self._stack.cancelled, **more)


def changed_properties(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Return the names of the top-level properties that differ."""
    absent = object()
    return {name for name in before.keys() | after.keys() if before.get(name, absent) != after.get(name, absent)}


def make_request(runtime: Runtime, stack: Stack, resource: Resource, **more: Any) -> Request:
    """Return the request about `resource` as it now stands."""
    return Request(
        runtime=runtime,
        stack_id=stack.stack_id,
        stack_name=stack.name,
        logical_id=resource.logical_id,
        type_name=resource.type_name,
        properties=resource.properties,
        **more,
    )


def _resource(declaration: Declaration, properties: dict[str, Any]) -> Resource:
    return Resource(
        logical_id=declaration.logical_id,
        type_name=declaration.type_name,
        properties=properties,
        deletion_policy=declaration.deletion_policy,
        update_replace_policy=declaration.update_replace_policy,
    )
