"""IAM's decision: whether the policies of a role allow an action on a resource.

Identity-based policies alone: no boundaries, no session policies, no resource-based policies. Of the condition
operators those that compare strings, ARNs, booleans and presence are known; another one raises, because a condition
that is not understood must neither allow nor deny.

References
----------
IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any


@dataclass(frozen=True)
class Call:
    """One thing a role does.

    Parameters
    ----------
    action : str
        As IAM names it: ``s3:GetObject``.
    resource : str
        ARN; ``*`` where the action knows none.
    context : tuple of (str, str)
        Condition keys and what they are for this call.
    """

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = field(default=())


class UnknownConditionError(ValueError):
    """A policy uses an operator that this module does not know."""


def allows(statements: Iterable[Mapping[str, Any]], call: Call) -> bool:
    """Return whether a statement allows `call` and none denies it.

    Parameters
    ----------
    statements : iterable of mapping
        As they stand in policy documents, without intrinsic functions.

    Raises
    ------
    UnknownConditionError
    """
    effects = {statement["Effect"] for statement in statements if applies(statement, call)}
    return effects == {"Allow"}


def applies(statement: Mapping[str, Any], call: Call) -> bool:
    """Return whether a statement speaks of `call`, whatever its effect."""
    return (
        _covers(statement, "Action", call.action, ignore_case=True)
        and _covers(statement, "Resource", call.resource)
        and all(
            _holds(operator, key, listed(wanted), dict(call.context))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def statements_of(document: str | Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of a policy document, of which there may be a single one outside a list."""
    parsed = json.loads(document) if isinstance(document, str) else document
    return listed(parsed["Statement"])


def listed(value: Any) -> list[Any]:
    """Return a value that IAM lets stand for a list of one."""
    return value if isinstance(value, list) else [value]


def _covers(statement: Mapping[str, Any], element: str, value: str, *, ignore_case: bool = False) -> bool:
    if f"Not{element}" in statement:
        return not _covers({element: statement[f"Not{element}"]}, element, value, ignore_case=ignore_case)
    return any(_pattern(pattern, ignore_case).fullmatch(value) for pattern in listed(statement[element]))


def _holds(operator: str, key: str, wanted: list[Any], context: Mapping[str, str]) -> bool:
    name, _, if_exists = operator.partition("IfExists")
    given = next((value for known, value in context.items() if known.lower() == key.lower()), None)
    if name == "Null":
        return (given is None) is (str(wanted[0]).lower() == "true")
    compare = _OPERATORS.get(name)
    if compare is None or if_exists:
        raise UnknownConditionError(f"condition {operator} of {key}: known are Null, {', '.join(_OPERATORS)}")
    negated = "Not" in name
    if given is None:
        return negated
    return any(compare(str(each), given) for each in wanted) is not negated


@lru_cache(maxsize=4096)
def _pattern(text: str, ignore_case: bool) -> re.Pattern[str]:
    """Return the expression for a text with IAM's wildcards: ``*`` for any characters, ``?`` for one."""
    expression = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(expression, re.IGNORECASE | re.DOTALL if ignore_case else re.DOTALL)


def _equals(wanted: str, given: str) -> bool:
    return wanted == given


def _equals_ignoring_case(wanted: str, given: str) -> bool:
    return wanted.lower() == given.lower()


def _is_like(wanted: str, given: str) -> bool:
    return bool(_pattern(wanted, False).fullmatch(given))


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _equals,
    "StringNotEquals": _equals,
    "StringEqualsIgnoreCase": _equals_ignoring_case,
    "StringLike": _is_like,
    "StringNotLike": _is_like,
    "ArnEquals": _is_like,  # both ARN operators know wildcards: "Amazon Resource Name (ARN) condition operators"
    "ArnLike": _is_like,
    "ArnNotLike": _is_like,
    "Bool": _equals_ignoring_case,
}
