"""A CloudFormation template as the engine sees it: parsed from JSON or YAML, every problem of form reported at once.

Transforms (macros, ``AWS::LanguageExtensions``), nested stacks' modules, ``CreationPolicy`` and ``UpdatePolicy`` would
change what a template does, so they are refused by name instead of being skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from sandbox.cloudformation.errors import ValidationError

SECTIONS = frozenset(
    {"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions"}
    | {"Resources", "Outputs"}
)
RESOURCE_ATTRIBUTES = frozenset(
    {"Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy"}
)
DELETION_POLICIES = frozenset({"Delete", "Retain", "RetainExceptOnCreate"})
IAM_TYPES = frozenset(
    {"AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::User", "AWS::IAM::Group"}
    | {"AWS::IAM::InstanceProfile", "AWS::IAM::AccessKey"}
)
NAMED_IAM_PROPERTIES = frozenset({"RoleName", "ManagedPolicyName", "UserName", "GroupName", "InstanceProfileName"})


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms; dates stay strings."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One entry of the template's ``Resources``."""

    logical_id: str
    type_name: str
    properties: Mapping[str, Any]
    depends_on: tuple[str, ...]
    condition: str | None
    deletion_policy: str
    update_replace_policy: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Template:
    """A parsed template.

    Parameters
    ----------
    body : str
        The text as it was submitted; GetTemplate returns it.
    document : dict
        The parsed text.
    """

    body: str
    document: Mapping[str, Any]

    def section(self, name: str) -> Mapping[str, Any]:
        """Return a top-level section, empty when the template has none."""
        section: Mapping[str, Any] = self.document.get(name) or {}
        return section

    @cached_property
    def resources(self) -> dict[str, Declaration]:
        """All declared resources by logical id, whatever their condition says."""
        return {logical_id: _declare(logical_id, entry) for logical_id, entry in self.section("Resources").items()}

    @property
    def capabilities(self) -> set[str]:
        """Capabilities of which the caller must acknowledge one."""
        iam = [declaration for declaration in self.resources.values() if declaration.type_name in IAM_TYPES]
        if any(NAMED_IAM_PROPERTIES & declaration.properties.keys() for declaration in iam):
            return {"CAPABILITY_NAMED_IAM"}
        return {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"} if iam else set()


def _declare(logical_id: str, entry: Mapping[str, Any]) -> Declaration:
    depends_on = entry.get("DependsOn", [])
    return Declaration(
        logical_id=logical_id,
        type_name=entry["Type"],
        properties=entry.get("Properties") or {},
        depends_on=(depends_on,) if isinstance(depends_on, str) else tuple(depends_on),
        condition=entry.get("Condition"),
        deletion_policy=entry.get("DeletionPolicy", "Delete"),
        update_replace_policy=entry.get("UpdateReplacePolicy", "Delete"),
        metadata=entry.get("Metadata") or {},
    )


def parse(body: str) -> Template:
    """Parse a template and check its form.

    Raises
    ------
    ValidationError
        The text is no JSON or YAML object, or holds what the engine does not know; all problems in one message.
    """
    try:
        is_json = body.lstrip().startswith("{")
        document = json.loads(body) if is_json else yaml.load(body, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (ValueError, yaml.YAMLError) as error:
        raise ValidationError(f"Template format error: neither valid JSON nor valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise ValidationError("Template format error: a template is an object with a Resources section.")
    problems = list(_problems(document))
    if problems:
        raise ValidationError("Template format error: " + " ".join(problems))
    return Template(body, document)


def _problems(document: Mapping[str, Any]) -> Iterator[str]:
    if unknown := sorted(map(str, document.keys() - SECTIONS)):
        yield f"The sandbox does not know the template section(s) {unknown}; it knows {sorted(SECTIONS)}."
    resources = document.get("Resources")
    if not isinstance(resources, dict) or not resources:
        yield "At least one Resources member must be defined."
        return
    for logical_id, entry in resources.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("Type"), str):
            yield f"[/Resources/{logical_id}] Every resource must contain a Type member."
            continue
        if not logical_id.isalnum():
            yield f"Resource name {logical_id} is non alphanumeric."
        if unknown := sorted(entry.keys() - RESOURCE_ATTRIBUTES):
            yield f"[/Resources/{logical_id}] The sandbox does not know the resource attribute(s) {unknown}."
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            if entry.get(policy, "Delete") not in DELETION_POLICIES:
                yield f"[/Resources/{logical_id}] {policy} {entry[policy]} is not one of {sorted(DELETION_POLICIES)}."
