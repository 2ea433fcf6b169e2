"""The operations on a stack: create, update, delete, and the roads back when one fails.

Each runs in a thread of its own, and ends in the status AWS would end in. The order of an update is AWS's: everything
new first, the old only when all of it succeeded; after a failure every touched resource gets its previous properties
again (custom resources too), then what the failed update created goes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Protocol

from sandbox.cloudformation.convergence import Convergence, changed_properties
from sandbox.cloudformation.deletion import delete_resources
from sandbox.cloudformation.failures import OperationFailedError
from sandbox.cloudformation.graph import Graph, dependency_graph
from sandbox.cloudformation.intrinsics import IntrinsicError, Resolver, Resources
from sandbox.cloudformation.planning import Change
from sandbox.cloudformation.provisioner import find_provisioner
from sandbox.cloudformation.stack import Desired, Output, Resource, Stack, Undo
from sandbox.cloudformation.stack_policy import check_policy
from sandbox.runtime import Runtime

KEEP = frozenset({"Retain", "RetainExceptOnCreate"})
KEEP_ON_ROLLBACK = frozenset({"Retain"})  # RetainExceptOnCreate does not keep what a failed creation made


class Account(Protocol):
    """What an operation must know of the other stacks."""

    runtime: Runtime

    def resolver(self, stack: Stack, desired: Desired, resources: Resources) -> Resolver:
        """Return the resolver for `stack`; it notes what the stack imports."""
        ...

    def check_exports(self, stack: Stack, outputs: Iterable[Output]) -> None:
        """Refuse outputs that clash with other stacks' exports or imports (OperationFailedError)."""
        ...


def create(account: Account, stack: Stack, desired: Desired, *, delete_on_failure: bool) -> None:
    """Create all resources; after a failure roll back to an empty stack, unless rollback is disabled."""
    stack.desired = desired
    stack.turn("CREATE_IN_PROGRESS", "User Initiated")
    try:
        _converge(account, stack, desired)
    except OperationFailedError as error:
        if stack.disable_rollback:
            stack.turn("CREATE_FAILED", str(error))
        else:
            roll_back_creation(account, stack, f"{error} Rollback requested by user.")
            if delete_on_failure and stack.status == "ROLLBACK_COMPLETE":
                delete(account, stack, frozenset())
        return
    stack.turn("CREATE_COMPLETE")


def roll_back_creation(account: Account, stack: Stack, reason: str) -> None:
    """Delete what a failed creation made."""
    stack.turn("ROLLBACK_IN_PROGRESS", reason)
    graph = _graph(stack.desired)
    remaining = delete_resources(account.runtime, stack, list(stack.resources.values()), graph, keep=KEEP_ON_ROLLBACK)
    stack.resources = {resource.logical_id: resource for resource in remaining}
    stack.outputs = []
    if remaining:
        stack.turn("ROLLBACK_FAILED", _failed_to_delete(remaining))
    else:
        stack.turn("ROLLBACK_COMPLETE")


def update(account: Account, stack: Stack, desired: Desired, changes: Sequence[Change]) -> None:
    """Bring the stack to `desired`; after a failure roll back to what it was, unless rollback is disabled."""
    assert stack.desired is not None
    if stack.undo is None:  # after UPDATE_FAILED the way back still leads to the last good state
        resources = {name: copy.copy(resource) for name, resource in stack.resources.items()}
        stack.undo = Undo(desired=stack.desired, resources=resources)
    stack.desired = desired
    stack.turn("UPDATE_IN_PROGRESS", "User Initiated")
    try:
        check_policy(stack.policy, changes)
        retired = stack.undo.retired + _converge(account, stack, desired)
    except OperationFailedError as error:
        if stack.disable_rollback:
            stack.turn("UPDATE_FAILED", str(error))
        else:
            roll_back_update(account, stack, str(error), frozenset())
        return
    stack.turn("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    _clean_up(account, stack, retired, stack.undo.desired, keep=KEEP)
    stack.undo = None
    stack.turn("UPDATE_COMPLETE")


def roll_back_update(account: Account, stack: Stack, reason: str, skipped: frozenset[str]) -> None:
    """Give every touched resource its previous properties again, then delete what the failed update created.

    Parameters
    ----------
    skipped : frozenset of str
        Logical ids that ContinueUpdateRollback leaves as they are.
    """
    assert stack.undo is not None
    assert stack.desired is not None
    undo, attempted = stack.undo, stack.desired
    stack.cancelled.clear()
    stack.turn("UPDATE_ROLLBACK_IN_PROGRESS", reason)
    retired = undo.retired + _put_back(stack, undo)
    for name in skipped:
        stack.resources[name] = copy.copy(undo.resources[name])
    stack.desired = undo.desired
    try:
        retired += _converge(account, stack, undo.desired)
    except OperationFailedError as error:
        undo.retired = retired
        stack.turn("UPDATE_ROLLBACK_FAILED", str(error))
        return
    stack.turn("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    _clean_up(account, stack, retired, attempted, keep=KEEP_ON_ROLLBACK)
    stack.undo = None
    stack.turn("UPDATE_ROLLBACK_COMPLETE")


def _put_back(stack: Stack, undo: Undo) -> list[Resource]:
    """Make the replaced and the removed resources current again; return what replaced them and what is new."""
    retired = []
    for name, untouched in undo.resources.items():
        stack.resources.setdefault(name, copy.copy(untouched))
    for name, resource in list(stack.resources.items()):
        before = undo.resources.get(name)
        provisioner = find_provisioner(resource.type_name)
        assert provisioner is not None
        if before is None:
            retired.append(stack.resources.pop(name))
        elif any(map(provisioner.needs_replacement, changed_properties(before.properties, resource.properties))):
            retired.append(resource)
            stack.resources[name] = copy.copy(before)
    return retired


def delete(account: Account, stack: Stack, retained: frozenset[str]) -> None:
    """Delete all resources but those `retained` (allowed after DELETE_FAILED) or kept by their DeletionPolicy."""
    stack.turn("DELETE_IN_PROGRESS", "User Initiated")
    try:
        account.check_exports(stack, [])
    except OperationFailedError as error:
        stack.turn("DELETE_FAILED", str(error))
        return
    for name in retained:
        stack.turn_resource(stack.resources.pop(name), "DELETE_SKIPPED")
    remaining = delete_resources(
        account.runtime, stack, list(stack.resources.values()), _graph(stack.desired), keep=KEEP
    )
    stack.resources = {resource.logical_id: resource for resource in remaining}
    if remaining:
        stack.turn("DELETE_FAILED", _failed_to_delete(remaining))
    else:
        stack.outputs, stack.imports = [], set()
        stack.turn("DELETE_COMPLETE")
        stack.deleted_at = stack.events[-1].timestamp


def _converge(account: Account, stack: Stack, desired: Desired) -> list[Resource]:
    stack.cancelled.clear()
    stack.imports = set()
    resolver = account.resolver(stack, desired, stack)
    convergence = Convergence(account.runtime, stack, desired, resolver)
    try:
        convergence.run()
        outputs = resolve_outputs(desired, resolver)
        account.check_exports(stack, outputs)
    except (OperationFailedError, IntrinsicError) as error:
        if stack.undo:
            stack.undo.retired += convergence.retired
        raise OperationFailedError(str(error)) from error
    stack.outputs = outputs
    return convergence.retired


def resolve_outputs(desired: Desired, resolver: Resolver) -> list[Output]:
    """Return the outputs whose condition holds."""
    outputs = []
    for key, declaration in desired.template.section("Outputs").items():
        if not resolver.condition_holds(declaration.get("Condition")):
            continue
        value = resolver.resolve(declaration["Value"])
        if not isinstance(value, (str, int, float, bool)):
            raise OperationFailedError(f"Template format error: Output {key} must be a string, got {value!r}")
        outputs.append(
            Output(
                key=key,
                value=str(value),
                description=declaration.get("Description"),
                export_name=resolver.resolve(declaration.get("Export", {}).get("Name")),
            )
        )
    return outputs


def _clean_up(
    account: Account, stack: Stack, retired: list[Resource], template_of: Desired, *, keep: frozenset[str]
) -> None:
    """Delete what is no longer current; a failure is recorded and otherwise does not matter, as in AWS."""
    current = {(name, resource.physical_id) for name, resource in stack.resources.items()}
    gone = [resource for resource in retired if (resource.logical_id, resource.physical_id) not in current]
    delete_resources(account.runtime, stack, gone, _graph(template_of), keep=keep)


def _graph(desired: Desired | None) -> Graph:
    return dependency_graph(desired.template) if desired else {}


def _failed_to_delete(remaining: list[Resource]) -> str:
    names = ", ".join(sorted(resource.logical_id for resource in remaining if resource.status == "DELETE_FAILED"))
    return f"The following resource(s) failed to delete: [{names}]."
