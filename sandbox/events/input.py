"""What a target of a rule is sent: the event, a part of it, a constant, or a template filled from it."""

from __future__ import annotations

import json
import re
from typing import Any

from jsonpath_ng.ext.parser import parse

# A string literal of the template, or a placeholder outside of one.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|<(?P<name>[\w.-]+)>')
_PLACEHOLDER = re.compile(r"<([\w.-]+)>")


def target_input(target: dict[str, Any], event: dict[str, Any]) -> str:
    """Return the JSON (or, from a template, any text) that `target` gets for `event`.

    Parameters
    ----------
    target : dict
        Of a rule, with at most one of Input, InputPath and InputTransformer.
    event : dict
        The event's envelope.

    References
    ----------
    eb-transform-target-input.html: a placeholder in a string is replaced by plain text, one outside by a JSON value.
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(_at(target["InputPath"], event))
    transformer = target.get("InputTransformer")
    if not transformer:
        return json.dumps(event)
    values = {name: _at(path, event) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {"aws.events.event.json": event, "aws.events.event": event}
    return _TOKEN.sub(lambda token: _fill(token, values), transformer["InputTemplate"])


def _fill(token: re.Match[str], values: dict[str, Any]) -> str:
    if token["name"]:
        return json.dumps(values.get(token["name"], ""))
    return _PLACEHOLDER.sub(lambda inner: json.dumps(_text(values.get(inner[1], "")))[1:-1], token[0])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _at(path: str, event: dict[str, Any]) -> Any:
    matches = parse(path).find(event)
    return matches[0].value if matches else ""
