"""Stack policies: which resources an update may touch (the user guide's "Prevent updates to stack resources")."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from sandbox.cloudformation.errors import ValidationError
from sandbox.cloudformation.failures import OperationFailedError
from sandbox.cloudformation.planning import Change


def parse_policy(body: str) -> str:
    """Return the policy's text after checking its form.

    Raises
    ------
    ValidationError
        Not JSON, no Statement, or an element that the sandbox does not evaluate.
    """
    try:
        statements = json.loads(body)["Statement"]
        known = {"Effect", "Action", "NotAction", "Principal", "Resource", "NotResource", "Condition", "Sid"}
        unknown = sorted({key for statement in statements for key in statement.keys() - known})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValidationError(f"Error validating stack policy: Invalid stack policy ({error!r})") from error
    if unknown:
        raise ValidationError(f"Error validating stack policy: unknown element(s) {unknown}; known are {sorted(known)}")
    return body


def check_policy(policy: str | None, changes: Sequence[Change]) -> None:
    """Refuse an update whose changes the stack policy denies; what no statement allows is denied.

    Raises
    ------
    OperationFailedError
        Names every denied change.
    """
    if policy is None:
        return
    statements = json.loads(policy)["Statement"]
    denied = [change for change in changes if change.action != "Add" and not _allowed(statements, change)]
    if denied:
        names = ", ".join(f"[{_action(change)}] for resource [{change.logical_id}]" for change in denied)
        raise OperationFailedError(f"Action denied by stack policy: {names}")


def _action(change: Change) -> str:
    if change.action == "Remove":
        return "Update:Delete"
    return "Update:Modify" if change.replacement == "False" else "Update:Replace"


def _allowed(statements: Sequence[Mapping[str, Any]], change: Change) -> bool:
    effects = {statement["Effect"] for statement in statements if _applies(statement, change)}
    return effects == {"Allow"}


def _applies(statement: Mapping[str, Any], change: Change) -> bool:
    resource = f"LogicalResourceId/{change.logical_id}"
    types = statement.get("Condition", {}).get("StringEquals", {}).get("ResourceType")
    return (
        _matches(statement, "Action", _action(change))
        and _matches(statement, "Resource", resource)
        and (types is None or change.type_name in _listed(types))
    )


def _matches(statement: Mapping[str, Any], element: str, value: str) -> bool:
    if f"Not{element}" in statement:
        return not any(fnmatchcase(value, pattern) for pattern in _listed(statement[f"Not{element}"]))
    return any(fnmatchcase(value, pattern) for pattern in _listed(statement[element]))


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
