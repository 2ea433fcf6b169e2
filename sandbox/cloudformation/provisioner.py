"""What every resource type provides, and the registry of types.

A provisioner turns one resource's resolved properties into calls of the emulated **public** APIs. It never touches
moto's internals, so it would work against AWS as well.

Each type is one of

- *emulated*: it does in the sandbox what it does in AWS, as far as ``sandbox/README.md`` says;
- *recorded only* (``inert`` says what does not happen): kept, described and deleted, but nothing acts on it;
- *refused*: not in the registry; a change set that names it fails before anything is created.
"""

from __future__ import annotations

import secrets
import string
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sandbox.cloudformation.api_call import call
from sandbox.runtime import ACCOUNT_ID, Runtime

ALL = frozenset({"*"})  # every property: any change replaces
POLL_SECONDS = 0.1


class ProvisioningError(Exception):
    """A resource could not be provisioned.

    Parameters
    ----------
    reason : str
        Goes into the stack event as ResourceStatusReason.
    physical_id : str, optional
        What exists all the same, so that the rollback deletes it.
    """

    def __init__(self, reason: str, physical_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.physical_id = physical_id


@dataclass(frozen=True)
class Outcome:
    """What a provisioner made: its physical id (what Ref gives) and what GetAtt gives."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a provisioner is asked to do.

    Parameters
    ----------
    properties : Mapping
        Resolved properties wanted now; for a deletion those it has.
    old_properties : Mapping
        Resolved properties so far; empty for a creation.
    physical_id : str
        Empty for a creation.
    cancelled : threading.Event
        Set when the operation fails elsewhere or is cancelled: stop waiting.
    """

    runtime: Runtime
    stack_id: str
    stack_name: str
    logical_id: str
    type_name: str
    properties: Mapping[str, Any]
    old_properties: Mapping[str, Any] = field(default_factory=dict)
    physical_id: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)

    def client(self, service: str) -> Any:
        """Return a boto3 client pointed at the sandbox."""
        return self.runtime.client(service)

    def call(self, service: str, operation: str, *property_names: str, **arguments: Any) -> Any:
        """Call an API with the named properties (as far as they are given) and `arguments`, typed as the API wants."""
        chosen = {name: self.properties[name] for name in property_names if name in self.properties}
        return call(self.client(service), operation, chosen | arguments)

    def call_with_all(self, service: str, operation: str, *left_out: str, **arguments: Any) -> Any:
        """Call an API with all properties but those left out; a property that the API does not know is refused."""
        chosen = {name: value for name, value in self.properties.items() if name not in left_out}
        return call(self.client(service), operation, chosen | arguments)

    def changed(self, *property_names: str) -> bool:
        """Return whether any of the named properties differs from what it was."""
        return any(self.properties.get(name) != self.old_properties.get(name) for name in property_names)

    def physical_name(self, property_name: str, *, longest: int = 63, lower: bool = False) -> str:
        """Return the name the template gives, or a unique one from stack and logical id as CloudFormation makes it."""
        if property_name in self.properties:
            return str(self.properties[property_name])
        suffix = "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(12))
        name = f"{f'{self.stack_name}-{self.logical_id}'[: longest - 13].rstrip('-')}-{suffix}"
        return name.lower() if lower else name

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN in the sandbox's account and region."""
        return f"arn:aws:{service}:{self.runtime.region}:{ACCOUNT_ID}:{resource}"

    def wait_until(self, reached: Callable[[], bool], *, what: str, at_most_seconds: float) -> None:
        """Poll until `reached`, the operation is cancelled, or the time is up (ProvisioningError)."""
        deadline = time.monotonic() + at_most_seconds
        while not reached():
            if self.cancelled.wait(POLL_SECONDS):
                raise ProvisioningError("Resource creation cancelled", self.physical_id or None)
            if time.monotonic() > deadline:
                raise ProvisioningError(f"{what} did not stabilize in {at_most_seconds:g} s", self.physical_id or None)


class Provisioner:
    """Base of all resource types: one instance a type, no state.

    Attributes
    ----------
    replaced_by : frozenset of str
        Properties whose change needs a new physical resource ("Update requires: Replacement").
    updated_in_place : frozenset of str, optional
        Properties that `update` knows how to change; None: all others.
    fixed : frozenset of str
        Properties that can never change ("Updates are not supported").
    renamed_by_update : bool
        Whether `update` may give another physical id, which replaces the resource.
    inert : str, optional
        Why the type is recorded only.
    """

    replaced_by: ClassVar[frozenset[str]] = ALL
    updated_in_place: ClassVar[frozenset[str] | None] = None
    fixed: ClassVar[frozenset[str]] = frozenset()
    renamed_by_update: ClassVar[bool] = False
    inert: ClassVar[str | None] = None

    def create(self, request: Request) -> Outcome:
        """Create the resource; raise whatever the API raises."""
        raise NotImplementedError

    def update(self, request: Request) -> Outcome:
        """Change the resource in place."""
        raise NotImplementedError

    def delete(self, request: Request) -> None:
        """Delete the resource; one that is gone already counts as deleted."""
        raise NotImplementedError

    def cannot_update(self, property_names: set[str]) -> set[str]:
        """Return those of the changed properties that `update` would silently ignore; tags are no reason to refuse."""
        if self.updated_in_place is None:
            return property_names & self.fixed
        return property_names - self.updated_in_place - {"Tags"}

    def needs_replacement(self, property_name: str) -> bool:
        """Return whether a change of this property needs a new physical resource."""
        return self.replaced_by == ALL or property_name in self.replaced_by


_REGISTRY: dict[str, Provisioner] = {}


def provisions(type_name: str) -> Callable[[type[Provisioner]], type[Provisioner]]:
    """Register the decorated class as the provisioner of a resource type."""

    def register(cls: type[Provisioner]) -> type[Provisioner]:
        _REGISTRY[type_name] = cls()
        return cls

    return register


def registered() -> Mapping[str, Provisioner]:
    """Return all known types with their provisioners; custom resources stand under ``Custom::*``."""
    return _REGISTRY


def find_provisioner(type_name: str) -> Provisioner | None:
    """Return the provisioner of a type, None when the sandbox refuses the type."""
    return _REGISTRY.get("Custom::*" if type_name.startswith("Custom::") else type_name)
