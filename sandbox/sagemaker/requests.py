"""What SageMaker checks before it starts anything, and what the sandbox refuses because it would not honour it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from moto.sagemaker.exceptions import ValidationError

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")

Request = dict[str, Any]


@dataclass(frozen=True)
class Only:
    """A field the sandbox understands only with some values.

    Parameters
    ----------
    path : str
        Dotted path in the request; ``[]`` steps into a list.
    values : tuple
        What is understood; empty: the field must be absent.
    """

    path: str
    values: tuple[Any, ...] = ()


def check_name(field: str, name: str, longest: int = 63) -> None:
    """Refuse a name AWS would refuse: letters, digits and inner hyphens, at most `longest` characters."""
    if not NAME.fullmatch(name) or len(name) > longest:
        raise ValidationError(
            f"1 validation error detected: Value '{name}' at '{field}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){{0,{longest - 1}}}"
        )


def refuse_unsupported(request: Request, rules: Iterable[Only]) -> None:
    """Raise one ValidationError that names every field the sandbox would not honour."""
    problems = [
        f"{rule.path} = {value!r} ({_allowed(rule)})"
        for rule in rules
        for value in _values(request, rule.path.split("."))
        if value not in (None, [], {}) and value not in rule.values
    ]
    if problems:
        raise ValidationError("The sandbox does not emulate " + "; ".join(problems))


def _allowed(rule: Only) -> str:
    return f"it takes {', '.join(map(str, rule.values))}" if rule.values else "leave it out"


def _values(node: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield node
        return
    step = path[0].removesuffix("[]")
    child = node.get(step) if isinstance(node, dict) else None
    if child is None:
        return
    for item in child if path[0].endswith("[]") else [child]:
        yield from _values(item, path[1:])
