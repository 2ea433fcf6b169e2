"""What an operation would change, without changing anything: the content of a change set.

Properties are compared **resolved**, so the replacement of one resource shows in everything that refers to it. Values
that only the operation itself can tell (the id of a resource to be created, an attribute of a custom resource to be
updated) count as changed, with CloudFormation's ``Dynamic`` evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.cloudformation.errors import ValidationError
from sandbox.cloudformation.graph import dependency_graph, in_order, references, unresolved_names
from sandbox.cloudformation.intrinsics import IntrinsicError, NotYetKnownError, Resolver
from sandbox.cloudformation.provisioner import Provisioner, find_provisioner
from sandbox.cloudformation.stack import Desired, Stack
from sandbox.cloudformation.template import Declaration, Template

_ABSENT: Any = object()
_CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")


@dataclass(frozen=True, kw_only=True)
class PropertyChange:
    """One property that differs."""

    name: str
    before: Any
    after: Any
    requires_recreation: str
    evaluation: str = "Static"
    source: str = "DirectModification"
    causing_entity: str | None = None


@dataclass(frozen=True, kw_only=True)
class Change:
    """One resource that an operation would add, modify or remove."""

    action: str
    logical_id: str
    type_name: str
    physical_id: str | None = None
    properties: tuple[PropertyChange, ...] = ()
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None

    @property
    def replacement(self) -> str | None:
        """``True``, ``False``, ``Conditional``; None when nothing is modified."""
        if self.action != "Modify":
            return None
        needs = {change.requires_recreation for change in self.properties}
        return "True" if "Always" in needs else "Conditional" if "Conditionally" in needs else "False"


@dataclass
class Preview:
    """The stack's resources as a change set sees them: some values are not known yet."""

    stack: Stack
    active: frozenset[str]
    unknown: set[str] = field(default_factory=set)

    def ref(self, logical_id: str) -> str:
        """Return a physical id that the operation will not change."""
        self._check(logical_id, None)
        return self.stack.ref(logical_id)

    def attribute(self, logical_id: str, name: str) -> Any:
        """Return an attribute that the operation will not change."""
        self._check(logical_id, name)
        return self.stack.attribute(logical_id, name)

    def _check(self, logical_id: str, attribute: str | None) -> None:
        if logical_id not in self.active:
            raise IntrinsicError(f"Unresolved resource dependencies [{logical_id}] in the Resources block")
        existing = self.stack.resources.get(logical_id)
        if logical_id in self.unknown or existing is None or existing.physical_id is None:
            raise NotYetKnownError(logical_id, attribute)


def check_template(template: Template) -> None:
    """Refuse what the engine cannot deploy.

    Raises
    ------
    ValidationError
        Undefined names, circles, resource types that the sandbox refuses: all before anything is created.
    """
    if undefined := sorted(unresolved_names(template)):
        raise ValidationError(
            f"Template format error: Unresolved resource dependencies [{', '.join(undefined)}] in the Resources block "
            "of the template"
        )
    types = {declaration.type_name for declaration in template.resources.values()}
    if refused := sorted(name for name in types if find_provisioner(name) is None):
        raise ValidationError(
            f"Template format error: Unrecognized resource types: [{', '.join(refused)}]. The sandbox neither "
            "emulates nor records them; sandbox/README.md lists what it does."
        )
    dependency_graph(template)


def active_resources(template: Template, resolver: Resolver) -> frozenset[str]:
    """Return the logical ids whose condition holds."""
    return frozenset(name for name, entry in template.resources.items() if resolver.condition_holds(entry.condition))


def plan(stack: Stack, desired: Desired, resolver: Resolver, preview: Preview) -> list[Change]:
    """Return the changes that bring `stack` to `desired`, in the order they would happen.

    Raises
    ------
    ValidationError
        A resource would change its type.
    """
    declarations = {name: desired.template.resources[name] for name in preview.active}
    retyped = [
        name
        for name, entry in declarations.items()
        if name in stack.resources and stack.resources[name].type_name != entry.type_name
    ]
    if retyped:
        raise ValidationError(
            "Update of resource type is not permitted. The new template modifies resource type of the following "
            f"resources: {sorted(retyped)}"
        )
    changes = []
    for name in in_order(dependency_graph(desired.template)):
        if name in declarations and (change := _change(stack, declarations[name], resolver)):
            changes.append(change)
            if change.replacement != "False" or change.type_name.startswith(_CUSTOM):
                preview.unknown.add(name)
    for name in reversed(list(stack.resources)):
        if name not in declarations:
            resource = stack.resources[name]
            changes.append(
                Change(
                    action="Remove",
                    logical_id=name,
                    type_name=resource.type_name,
                    physical_id=resource.physical_id,
                    before=resource.properties,
                )
            )
    return changes


def _change(stack: Stack, declaration: Declaration, resolver: Resolver) -> Change | None:
    existing = stack.resources.get(declaration.logical_id)
    provisioner = find_provisioner(declaration.type_name)
    assert provisioner is not None
    after, unknown = _resolve_known(declaration, resolver)
    if existing is None or existing.physical_id is None:
        return Change(action="Add", logical_id=declaration.logical_id, type_name=declaration.type_name, after=after)
    properties = []
    for name in sorted(existing.properties.keys() | after.keys() | unknown.keys()):
        before = existing.properties.get(name, _ABSENT)
        if name in unknown:
            properties.append(_dynamic(provisioner, name, before, unknown[name]))
        elif before != after.get(name, _ABSENT):
            properties.append(_static(provisioner, declaration, name, before, after.get(name, _ABSENT)))
    if not properties and not existing.status.endswith("_FAILED"):
        return None
    return Change(
        action="Modify",
        logical_id=declaration.logical_id,
        type_name=declaration.type_name,
        physical_id=existing.physical_id,
        properties=tuple(properties),
        before=existing.properties,
        after=after | dict.fromkeys(unknown, "{{changeSet:KNOWN_AFTER_APPLY}}"),
    )


def _resolve_known(declaration: Declaration, resolver: Resolver) -> tuple[dict[str, Any], dict[str, NotYetKnownError]]:
    known: dict[str, Any] = {}
    unknown: dict[str, NotYetKnownError] = {}
    for name, value in declaration.properties.items():
        try:
            known |= resolver.resolve({name: value})
        except NotYetKnownError as error:
            unknown[name] = error
    return known, unknown


def _dynamic(provisioner: Provisioner, name: str, before: Any, error: NotYetKnownError) -> PropertyChange:
    return PropertyChange(
        name=name,
        before=None if before is _ABSENT else before,
        after="{{changeSet:KNOWN_AFTER_APPLY}}",
        requires_recreation="Conditionally" if provisioner.needs_replacement(name) else "Never",
        evaluation="Dynamic",
        source="ResourceAttribute" if error.attribute else "ResourceReference",
        causing_entity=error.causing_entity,
    )


def _static(provisioner: Provisioner, declaration: Declaration, name: str, before: Any, after: Any) -> PropertyChange:
    parameters = sorted({target for target, attribute in references(declaration.properties.get(name)) if not attribute})
    return PropertyChange(
        name=name,
        before=None if before is _ABSENT else before,
        after=None if after is _ABSENT else after,
        requires_recreation="Always" if provisioner.needs_replacement(name) else "Never",
        source="ParameterReference" if len(parameters) == 1 else "DirectModification",
        causing_entity=parameters[0] if len(parameters) == 1 else None,
    )
