"""A synthesized template, as far as its costs need reading: resources by type, and who refers to whom."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PLACEHOLDER = "<reference>"


@dataclass(frozen=True)
class Resource:
    """One resource."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]


class Template:
    """A template's resources.

    Parameters
    ----------
    name : str
        Of its stack.
    document : Mapping
        The template, parsed.
    """

    def __init__(self, name: str, document: Mapping[str, Any]) -> None:
        self.name = name
        self.document = document
        self.resources = {
            logical_id: Resource(logical_id, each["Type"], each.get("Properties", {}))
            for logical_id, each in document.get("Resources", {}).items()
        }

    def of_type(self, *types: str) -> list[Resource]:
        """Return the resources of any of the types."""
        return [each for each in self.resources.values() if each.type in types]

    def referred_to(self, value: Any) -> Iterator[Resource]:
        """Yield the template's resources that a value names."""
        for logical_id in references(value):
            if logical_id in self.resources:
                yield self.resources[logical_id]

    def reached(self, resource: Resource, wanted: str) -> set[str]:
        """Return the resources of type `wanted` that `resource` names, itself or through what it names."""
        found, seen, ahead = set(), {resource.logical_id}, [resource]
        while ahead:
            for each in self.referred_to(ahead.pop().properties):
                if each.logical_id not in seen:
                    seen.add(each.logical_id)
                    ahead.append(each)
                    found |= {each.logical_id} if each.type == wanted else set()
        return found


def references(value: Any) -> Iterator[str]:
    """Yield the logical ids that Ref, Fn::GetAtt and Fn::Sub name anywhere in a value."""
    if isinstance(value, Mapping):
        if isinstance(ref := value.get("Ref"), str):
            yield ref
        if got := value.get("Fn::GetAtt"):
            yield got[0] if isinstance(got, list) else got.partition(".")[0]
        if isinstance(text := value.get("Fn::Sub"), str):
            yield from (name.partition(".")[0] for name in re.findall(r"\$\{([\w.:]+)\}", text))
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def text_of(value: Any) -> str:
    """Return a string, or what Fn::Join joins with a placeholder for each reference."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(text_of(part) for part in parts)
    return PLACEHOLDER


def states_of(definition: Any) -> list[Mapping[str, Any]]:
    """Return every state of a state machine's definition, those within Map and Parallel included."""

    def inside(machine: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for state in machine["States"].values():
            yield state
            for inner in (*state.get("Branches", []), state.get("ItemProcessor"), state.get("Iterator")):
                if inner:
                    yield from inside(inner)

    return list(inside(json.loads(text_of(definition))))
