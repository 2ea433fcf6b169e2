"""Change sets: a planned operation that can be looked at before it is executed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.cloudformation.planning import Change, PropertyChange
from sandbox.cloudformation.stack import Desired

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


@dataclass(kw_only=True)
class ChangeSet:
    """One change set of a stack.

    Parameters
    ----------
    request : Mapping
        The CreateChangeSet call: its tags, capabilities and the like become the stack's on execution.
    failure : str, optional
        Why it cannot be executed.
    """

    change_set_id: str
    name: str
    kind: str
    desired: Desired | None
    changes: Sequence[Change]
    request: Mapping[str, Any]
    failure: str | None = None
    execution_status: str = "AVAILABLE"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def status(self) -> str:
        """Whether the change set could be computed."""
        return "FAILED" if self.failure else "CREATE_COMPLETE"


def describe_change(change: Change, *, with_values: bool) -> dict[str, Any]:
    """Return a change in DescribeChangeSet's shape."""
    described: dict[str, Any] = {
        "Action": change.action,
        "LogicalResourceId": change.logical_id,
        "PhysicalResourceId": change.physical_id,
        "ResourceType": change.type_name,
        "Replacement": change.replacement,
        "Scope": ["Properties"] if change.properties else [],
        "Details": [_describe_detail(item, with_values=with_values) for item in change.properties],
    }
    if change.action == "Remove":
        described["PolicyAction"] = "Delete"
    elif change.replacement == "True":
        described["PolicyAction"] = "ReplaceAndDelete"
    if with_values:
        for key, properties in (("BeforeContext", change.before), ("AfterContext", change.after)):
            if properties is not None:
                described[key] = json.dumps({"Properties": properties}, default=str)
    return {"Type": "Resource", "ResourceChange": {key: value for key, value in described.items() if value is not None}}


def _describe_detail(change: PropertyChange, *, with_values: bool) -> dict[str, Any]:
    target = {
        "Attribute": "Properties",
        "Name": change.name,
        "RequiresRecreation": change.requires_recreation,
        "Path": f"/Properties/{change.name}",
        "AttributeChangeType": "Add" if change.before is None else "Remove" if change.after is None else "Modify",
    }
    if with_values:
        target |= {
            key: value if isinstance(value, str) else json.dumps(value, default=str)
            for key, value in (("BeforeValue", change.before), ("AfterValue", change.after))
            if value is not None
        }
    detail = {"Target": target, "Evaluation": change.evaluation, "ChangeSource": change.source}
    return detail | ({"CausingEntity": change.causing_entity} if change.causing_entity else {})
