"""The part of API Gateway's mapping templates (VTL) that the sandbox evaluates; the rest is refused, not ignored.

Evaluated: ``$input.body``, ``$input.json('$.a.b[0]')``, ``$input.params('name')``, ``$context.a.b``,
``$stageVariables.name`` and plain text. Not: directives (``#set``, ``#if``, ...), ``$util`` and methods.

References
----------
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

_REFERENCE = re.compile(
    r"\$input\.(?P<body>body)\b"
    r"|\$input\.json\((?P<quote>['\"])\$(?P<path>[^'\"]*)(?P=quote)\)"
    r"|\$input\.params\((?P<quote2>['\"])(?P<parameter>[^'\"]+)(?P=quote2)\)"
    r"|\$context\.(?P<context>\w+(?:\.\w+)*)"
    r"|\$stageVariables\.(?P<variable>\w+)"
)
_PATH = re.compile(r"(?:\.\w+|\[\d+\])*")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_UNKNOWN = re.compile(r"\$!?\{?[A-Za-z]\w*(?:\.\w+)*|#(?:set|if|elseif|else|end|foreach|stop|break|macro|\{|#)")


class BadTemplateError(ValueError):
    """A template with something that the sandbox does not evaluate."""


@dataclass(frozen=True)
class TemplateInput:
    """What a template can refer to."""

    body: bytes = b""
    context: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    stage_variables: Mapping[str, str] = field(default_factory=dict)


class Template:
    """A compiled template.

    Raises
    ------
    BadTemplateError
        Naming what is not evaluated, all of it.
    """

    def __init__(self, text: str) -> None:
        self.is_body = text.strip() == "$input.body"
        self._parts: list[bytes | Callable[[TemplateInput], bytes]] = []
        unknown: list[str] = []
        start = 0
        for match in _REFERENCE.finditer(text):
            self._plain(text[start : match.start()], unknown)
            self._parts.append(_evaluator(match, unknown))
            start = match.end()
        self._plain(text[start:], unknown)
        if unknown:
            raise BadTemplateError(f"the sandbox's templates do not know {', '.join(sorted(set(unknown)))}")

    def render(self, given: TemplateInput) -> bytes:
        """Return the template's text for `given`."""
        if self.is_body:
            return given.body
        return b"".join([part if isinstance(part, bytes) else part(given) for part in self._parts])

    def _plain(self, text: str, unknown: list[str]) -> None:
        unknown += _UNKNOWN.findall(text)
        self._parts.append(text.encode())


def _evaluator(match: re.Match[str], unknown: list[str]) -> Callable[[TemplateInput], bytes]:
    if match["body"]:
        return lambda given: given.body
    if match["path"] is not None:
        path = match["path"]
        if not _PATH.fullmatch(path):
            unknown.append(match[0])
        steps = [name or int(index) for name, index in _STEP.findall(path)]
        return lambda given: orjson.dumps(_walk(_load(given.body), steps))
    if name := match["parameter"]:
        return lambda given: given.parameters.get(name, "").encode()
    if context := match["context"]:
        steps = list(context.split("."))
        return lambda given: _text(_walk(given.context, steps))
    variable = match["variable"]
    return lambda given: given.stage_variables.get(variable, "").encode()


def _load(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}


def _walk(value: Any, steps: list[Any]) -> Any:
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return ""
    return value


def _text(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else orjson.dumps(value)
