"""The stacks of one region: what may start when, who exports what to whom."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from sandbox.cloudformation import operations
from sandbox.cloudformation.change_set import NO_CHANGES, ChangeSet
from sandbox.cloudformation.errors import (
    AlreadyExistsError,
    ChangeSetNotFoundError,
    InsufficientCapabilitiesError,
    InvalidChangeSetStatusError,
    ValidationError,
)
from sandbox.cloudformation.failures import OperationFailedError
from sandbox.cloudformation.intrinsics import IntrinsicError, NotYetKnownError, Resolver, Resources
from sandbox.cloudformation.parameters import Parameter, resolve_parameters
from sandbox.cloudformation.planning import Change, Preview, active_resources, check_template, plan
from sandbox.cloudformation.rules import check_rules
from sandbox.cloudformation.stack import Desired, Output, Stack
from sandbox.cloudformation.template import Template, parse
from sandbox.cloudformation.template_source import read_template
from sandbox.runtime import ACCOUNT_ID, Runtime

NO_UPDATES = "No updates are to be performed."
UPDATABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"})
ANSWER_WITHIN_SECONDS = 10.0  # the CDK CLI polls every 5 s: an answer that waits for a fast operation saves polls
_log = logging.getLogger(__name__)


class CloudFormationService:
    """All stacks of a region, the deleted ones too."""

    def __init__(self, runtime: Runtime, region: str) -> None:
        self.runtime = runtime
        self._region = region
        self._stacks: dict[str, Stack] = {}
        self._change_sets: dict[str, list[ChangeSet]] = {}
        self._lock = threading.RLock()

    # What there is

    def stacks(self) -> list[Stack]:
        """Return all stacks, newest first."""
        return list(reversed(self._stacks.values()))

    def live_stacks(self) -> Iterator[Stack]:
        """Yield the stacks that are not deleted, newest first."""
        return (stack for stack in self.stacks() if not stack.deleted)

    def find(self, name_or_id: str) -> Stack:
        """Return a live stack by its name, any stack by its id.

        Raises
        ------
        ValidationError
            There is none.
        """
        if name_or_id in self._stacks:
            return self._stacks[name_or_id]
        for stack in self.live_stacks():
            if stack.name == name_or_id:
                return stack
        raise ValidationError(f"Stack with id {name_or_id} does not exist")

    def exports(self) -> dict[str, tuple[Stack, Output]]:
        """Return every export by name."""
        return {
            output.export_name: (stack, output)
            for stack in self.live_stacks()
            for output in stack.outputs
            if output.export_name
        }

    def importers(self, export_name: str) -> list[str]:
        """Return the names of the stacks that import an export."""
        return sorted(stack.name for stack in self.live_stacks() if export_name in stack.imports)

    # What an operation asks

    def resolver(self, stack: Stack, desired: Desired, resources: Resources) -> Resolver:
        """Return the resolver of a stack; it notes what the stack imports."""

        def import_value(name: str) -> str:
            exports = self.exports()
            if name not in exports:
                raise IntrinsicError(f"No export named {name} found. Rollback requested by user.")
            stack.imports.add(name)
            return exports[name][1].value

        return Resolver(
            pseudo_parameters={
                "AWS::AccountId": ACCOUNT_ID,
                "AWS::NotificationARNs": stack.notification_arns,
                "AWS::Partition": "aws",
                "AWS::Region": self._region,
                "AWS::StackId": stack.stack_id,
                "AWS::StackName": stack.name,
                "AWS::URLSuffix": "amazonaws.com",
            },
            parameters={name: parameter.value for name, parameter in desired.parameters.items()},
            mappings=desired.template.section("Mappings"),
            conditions=desired.template.section("Conditions"),
            resources=resources,
            import_value=import_value,
            read_parameter=self._read_parameter,
        )

    def check_exports(self, stack: Stack, outputs: Iterable[Output]) -> None:
        """Refuse outputs that clash with other stacks (OperationFailedError)."""
        wanted = {output.export_name: output.value for output in outputs if output.export_name}
        for name, (owner, output) in self.exports().items():
            if owner is not stack:
                if name in wanted:
                    raise OperationFailedError(f"Export with name {name} is already exported by stack {owner.name}")
            elif wanted.get(name) != output.value and (users := self.importers(name)):
                verb = "updated" if name in wanted else "deleted"
                raise OperationFailedError(f"Export {name} cannot be {verb} as it is in use by {', '.join(users)}")

    def _read_parameter(self, name: str) -> str:
        try:
            return str(self.runtime.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
        except ClientError as error:
            message = f"Unable to fetch parameters [{name}] from parameter store for this account."
            raise LookupError(message) from error

    # Change sets

    def create_change_set(self, request: Mapping[str, Any]) -> tuple[Stack, ChangeSet]:
        """Compute a change set; one that changes nothing or cannot work is kept with status FAILED and its reason."""
        kind = request.get("ChangeSetType", "UPDATE")
        if kind == "IMPORT" or request.get("ResourcesToImport"):
            raise ValidationError("The sandbox refuses to import resources into a stack.")
        stack = self._stack_to_change(request["StackName"], kind)
        if any(existing.name == request["ChangeSetName"] for existing in self.change_sets(stack)):
            raise AlreadyExistsError(f"ChangeSet {request['ChangeSetName']} already exists")
        desired = self._desired(request, stack)
        changes, failure = self._try_plan(stack, desired, request)
        arn = f"arn:aws:cloudformation:{self._region}:{ACCOUNT_ID}:changeSet/{request['ChangeSetName']}/{uuid.uuid4()}"
        change_set = ChangeSet(
            change_set_id=arn,
            name=request["ChangeSetName"],
            kind=kind,
            desired=desired,
            changes=changes,
            request=request,
            failure=failure,
            execution_status="UNAVAILABLE" if failure else "AVAILABLE",
        )
        with self._lock:
            if stack.stack_id not in self._stacks:
                stack.turn("REVIEW_IN_PROGRESS", "User Initiated")
                self._stacks[stack.stack_id] = stack
            self._change_sets.setdefault(stack.stack_id, []).append(change_set)
        return stack, change_set

    def change_sets(self, stack: Stack) -> list[ChangeSet]:
        """Return a stack's change sets, oldest first."""
        return list(self._change_sets.get(stack.stack_id, []))

    def find_change_set(self, name_or_id: str, stack_name: str | None) -> tuple[Stack, ChangeSet]:
        """Return a change set and its stack (ChangeSetNotFoundError)."""
        stacks = [self.find(stack_name)] if stack_name else self.stacks()
        for stack in stacks:
            for change_set in self.change_sets(stack):
                if name_or_id in (change_set.name, change_set.change_set_id):
                    return stack, change_set
        raise ChangeSetNotFoundError(f"ChangeSet [{name_or_id}] does not exist")

    def delete_change_set(self, name_or_id: str, stack_name: str | None) -> None:
        """Forget a change set; one that does not exist is no error."""
        try:
            stack, change_set = self.find_change_set(name_or_id, stack_name)
        except ChangeSetNotFoundError:
            return
        self._change_sets[stack.stack_id].remove(change_set)

    def execute_change_set(self, name_or_id: str, stack_name: str | None, *, disable_rollback: bool) -> Stack:
        """Start what a change set plans; the stack's other change sets are obsolete then."""
        stack, change_set = self.find_change_set(name_or_id, stack_name)
        if change_set.execution_status != "AVAILABLE" or change_set.desired is None:
            raise InvalidChangeSetStatusError(
                f"ChangeSet [{change_set.change_set_id}] cannot be executed in its current status of "
                f"[{change_set.status}]"
            )
        stack.disable_rollback = disable_rollback
        stack.change_set_id = change_set.change_set_id
        if change_set.kind == "CREATE":
            delete_on_failure = change_set.request.get("OnStackFailure") == "DELETE"
            self._create(stack, change_set.desired, change_set.request, delete_on_failure=delete_on_failure)
        else:
            self._update(stack, change_set.desired, change_set.request, change_set.changes)
        self._change_sets[stack.stack_id] = []
        return stack

    def _stack_to_change(self, name: str, kind: str) -> Stack:
        try:
            stack = self.find(name)
        except ValidationError:
            if kind == "UPDATE":
                raise ValidationError(f"Stack [{name}] does not exist") from None
            return self._new_stack(name)
        if kind == "CREATE" and stack.status != "REVIEW_IN_PROGRESS":
            raise AlreadyExistsError(f"Stack [{name}] already exists and cannot be created again.")
        if kind == "UPDATE":
            self._check_updatable(stack)
        return stack

    def _try_plan(self, stack: Stack, desired: Desired, request: Mapping[str, Any]) -> tuple[list[Change], str | None]:
        try:
            changes, others = self._plan(stack, desired, request)
        except (ValidationError, IntrinsicError) as error:
            return [], getattr(error, "message", str(error))
        return changes, None if changes or others or stack.status == "REVIEW_IN_PROGRESS" else NO_CHANGES

    # Stacks

    def create_stack(self, request: Mapping[str, Any]) -> Stack:
        """Start the creation of a stack."""
        name = request["StackName"]
        if any(stack.name == name for stack in self.live_stacks()):
            raise AlreadyExistsError(f"Stack [{name}] already exists")
        stack = self._new_stack(name)
        desired = self._desired(request, stack)
        self._plan(stack, desired, request)
        stack.disable_rollback = request.get("DisableRollback", request.get("OnFailure") == "DO_NOTHING")
        stack.termination_protection = request.get("EnableTerminationProtection", False)
        stack.policy = request.get("StackPolicyBody")
        self._stacks[stack.stack_id] = stack
        self._create(stack, desired, request, delete_on_failure=request.get("OnFailure") == "DELETE")
        return stack

    def update_stack(self, request: Mapping[str, Any]) -> Stack:
        """Start the update of a stack.

        Raises
        ------
        ValidationError
            Nothing would change, or the stack's status allows no update.
        """
        stack = self.find(request["StackName"])
        self._check_updatable(stack)
        desired = self._desired(request, stack)
        try:
            changes, others = self._plan(stack, desired, request)
        except IntrinsicError as error:
            raise ValidationError(str(error)) from error
        if not changes and not others:
            raise ValidationError(NO_UPDATES)
        stack.disable_rollback = request.get("DisableRollback", False)
        self._update(stack, desired, request, changes)
        return stack

    def delete_stack(self, name: str, retained: frozenset[str]) -> Stack | None:
        """Start the deletion of a stack; one that does not exist is no error."""
        try:
            stack = self.find(name)
        except ValidationError:
            return None
        if stack.deleted:
            return None
        if stack.termination_protection:
            raise ValidationError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        if retained and stack.status != "DELETE_FAILED":
            raise ValidationError("Specify RetainResources only for a stack in DELETE_FAILED state")
        if stack.status == "CREATE_IN_PROGRESS":
            stack.cancelled.set()
            stack.settled.wait()
        self._start(stack, lambda: operations.delete(self, stack, retained))
        return stack

    def cancel_update(self, name: str) -> None:
        """Make a running update fail, so that it rolls back."""
        stack = self.find(name)
        if stack.status != "UPDATE_IN_PROGRESS":
            raise ValidationError("CancelUpdateStack cannot be called from current stack status")
        stack.cancelled.set()

    def roll_back(self, name: str) -> Stack:
        """Roll back a stack whose operation failed with rollback disabled."""
        stack = self.find(name)
        if stack.status == "CREATE_FAILED":
            self._start(stack, lambda: operations.roll_back_creation(self, stack, "User Initiated"))
        elif stack.status == "UPDATE_FAILED":
            self._start(stack, lambda: operations.roll_back_update(self, stack, "User Initiated", frozenset()))
        else:
            raise ValidationError(f"Stack {stack.name} is in {stack.status} state and can not be rolled back.")
        return stack

    def continue_rollback(self, name: str, skipped: frozenset[str]) -> None:
        """Try again to roll back a stack in UPDATE_ROLLBACK_FAILED, leaving `skipped` as they are."""
        stack = self.find(name)
        if stack.status != "UPDATE_ROLLBACK_FAILED" or stack.undo is None:
            raise ValidationError(f"Stack:{stack.stack_id} is in {stack.status} state and can not continue a rollback.")
        if unknown := sorted(skipped - stack.undo.resources.keys()):
            raise ValidationError(f"The resources {unknown} to skip are not part of the stack.")
        self._start(stack, lambda: operations.roll_back_update(self, stack, "User Initiated", skipped))

    def wait_for(self, stack: Stack) -> None:
        """Give a fast operation the time to end before the API answers."""
        stack.settled.wait(ANSWER_WITHIN_SECONDS)

    def resolve_template(self, request: Mapping[str, Any], stack: Stack | None) -> Template:
        """Return the template that a request names."""
        if request.get("UsePreviousTemplate"):
            if stack is None or stack.desired is None:
                raise ValidationError("UsePreviousTemplate needs a stack that has a template.")
            return stack.desired.template
        return parse(read_template(request, self.runtime))

    def _new_stack(self, name: str) -> Stack:
        arn = f"arn:aws:cloudformation:{self._region}:{ACCOUNT_ID}:stack/{name}/{uuid.uuid4()}"
        stack = Stack(stack_id=arn, name=name, status="REVIEW_IN_PROGRESS")
        stack.settled.set()
        return stack

    def _check_updatable(self, stack: Stack) -> None:
        if stack.status not in UPDATABLE or not stack.settled.is_set():
            raise ValidationError(f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")

    def _desired(self, request: Mapping[str, Any], stack: Stack) -> Desired:
        template = self.resolve_template(request, stack)
        check_template(template)
        needed = template.capabilities
        if needed and not needed & set(request.get("Capabilities", [])):
            raise InsufficientCapabilitiesError(f"Requires capabilities : [{sorted(needed)[-1]}]")
        previous: Mapping[str, Parameter] = stack.desired.parameters if stack.desired else {}
        parameters = resolve_parameters(template, request.get("Parameters", []), previous, self._read_parameter)
        desired = Desired(template=template, parameters=parameters)
        check_rules(template, self.resolver(stack, desired, stack))
        return desired

    def _plan(self, stack: Stack, desired: Desired, request: Mapping[str, Any]) -> tuple[list[Change], bool]:
        """Return the changes of resources, and whether tags or outputs change."""
        preview = Preview(stack, frozenset())
        imports = set(stack.imports)
        resolver = self.resolver(stack, desired, preview)
        preview.active = active_resources(desired.template, resolver)
        changes = plan(stack, desired, resolver, preview)
        try:
            others = operations.resolve_outputs(desired, resolver) != stack.outputs
        except NotYetKnownError:
            others = True
        except OperationFailedError as error:
            raise ValidationError(str(error)) from error
        stack.imports = imports  # looking ahead imports nothing
        return changes, others or request.get("Tags", stack.tags) != stack.tags

    def _create(self, stack: Stack, desired: Desired, request: Mapping[str, Any], *, delete_on_failure: bool) -> None:
        self._adopt(stack, desired, request)
        self._start(stack, lambda: operations.create(self, stack, desired, delete_on_failure=delete_on_failure))

    def _update(self, stack: Stack, desired: Desired, request: Mapping[str, Any], changes: Sequence[Change]) -> None:
        self._check_updatable(stack)
        self._start(stack, lambda: operations.update(self, stack, desired, changes))
        self._adopt(stack, desired, request)

    def _adopt(self, stack: Stack, desired: Desired, request: Mapping[str, Any]) -> None:
        stack.description = desired.template.document.get("Description")
        stack.tags = request.get("Tags", stack.tags)
        stack.capabilities = request.get("Capabilities", [])
        stack.notification_arns = request.get("NotificationARNs", [])
        stack.role_arn = request.get("RoleARN", stack.role_arn)

    def _start(self, stack: Stack, work: Callable[[], None]) -> None:
        with self._lock:
            if not stack.settled.is_set():
                raise ValidationError(f"Stack [{stack.name}] cannot be changed while in status {stack.status}")
            stack.settled.clear()
        threading.Thread(target=self._run, args=(stack, work), name=f"stack {stack.name}", daemon=True).start()

    def _run(self, stack: Stack, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            _log.exception("operation on stack %s", stack.name)
            stack.turn(stack.status.replace("_IN_PROGRESS", "_FAILED"), f"Internal failure of the sandbox: {error!r}")
        finally:
            stack.settled.set()
