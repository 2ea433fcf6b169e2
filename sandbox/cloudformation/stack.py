"""A stack and what it is made of: resources, outputs, events."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.cloudformation.intrinsics import IntrinsicError
from sandbox.cloudformation.parameters import Parameter
from sandbox.cloudformation.template import Template


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of the stack's history."""

    logical_id: str
    physical_id: str
    type_name: str
    status: str
    reason: str | None
    properties: Mapping[str, Any] | None = None
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(kw_only=True, eq=False)
class Resource:
    """One resource of a stack as it is, or as it was last tried.

    Parameters
    ----------
    properties : Mapping
        Resolved properties of the last attempt.
    attributes : Mapping
        What GetAtt gives.
    physical_id : str, optional
        None until it is created.
    """

    logical_id: str
    type_name: str
    properties: Mapping[str, Any]
    deletion_policy: str
    update_replace_policy: str
    physical_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    status: str = "CREATE_IN_PROGRESS"
    reason: str | None = None
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, kw_only=True)
class Output:
    """One output, exported when it has an export name."""

    key: str
    value: str
    description: str | None
    export_name: str | None


@dataclass(frozen=True, kw_only=True)
class Desired:
    """What a stack should become: a template with its parameters resolved."""

    template: Template
    parameters: Mapping[str, Parameter]


@dataclass(kw_only=True)
class Undo:
    """What a failed update needs to go back to: kept while the stack is in UPDATE_FAILED or UPDATE_ROLLBACK_FAILED."""

    desired: Desired
    resources: Mapping[str, Resource]
    retired: list[Resource] = field(default_factory=list)


@dataclass(kw_only=True, eq=False)
class Stack:
    """A stack; its worker thread writes it, the API reads it."""

    stack_id: str
    name: str
    status: str
    desired: Desired | None = None
    reason: str | None = None
    description: str | None = None
    tags: list[dict[str, str]] = field(default_factory=list)
    capabilities: list[str] = field(default_factory=list)
    notification_arns: list[str] = field(default_factory=list)
    role_arn: str | None = None
    disable_rollback: bool = False
    termination_protection: bool = False
    policy: str | None = None
    change_set_id: str | None = None
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    undo: Undo | None = None
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    settled: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def busy(self) -> bool:
        """Whether an operation is under way."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def deleted(self) -> bool:
        """Whether the stack is history."""
        return self.status == "DELETE_COMPLETE"

    def turn(self, status: str, reason: str | None = None) -> None:
        """Enter a stack status and record it."""
        self.status, self.reason = status, reason
        event = Event(
            type_name="AWS::CloudFormation::Stack",
            logical_id=self.name,
            physical_id=self.stack_id,
            status=status,
            reason=reason,
        )
        self.events.append(event)
        if status.startswith("UPDATE"):
            self.updated_at = event.timestamp

    def turn_resource(self, resource: Resource, status: str, reason: str | None = None) -> None:
        """Enter a resource status and record it."""
        event = Event(
            type_name=resource.type_name,
            logical_id=resource.logical_id,
            physical_id=resource.physical_id or "",
            status=status,
            reason=reason,
            properties=resource.properties,
        )
        resource.status, resource.reason, resource.updated_at = status, reason, event.timestamp
        self.events.append(event)

    def ref(self, logical_id: str) -> str:
        """Return the physical id of a resource that exists."""
        return str(self._existing(logical_id).physical_id)

    def attribute(self, logical_id: str, name: str) -> Any:
        """Return an attribute of a resource that exists."""
        resource = self._existing(logical_id)
        if name not in resource.attributes:
            if resource.type_name.startswith(("Custom::", "AWS::CloudFormation::CustomResource")):
                raise IntrinsicError(
                    f"CustomResource attribute error: Vendor response doesn't contain {name} attribute in object "
                    f"{logical_id}"
                )
            raise IntrinsicError(
                f"Template error: resource {logical_id} does not support attribute type {name} in Fn::GetAtt; "
                f"the sandbox gives {sorted(resource.attributes)} for {resource.type_name}"
            )
        return resource.attributes[name]

    def _existing(self, logical_id: str) -> Resource:
        resource = self.resources.get(logical_id)
        if resource is None or resource.physical_id is None:
            raise IntrinsicError(f"Template error: resource {logical_id} is not part of the stack.")
        return resource
