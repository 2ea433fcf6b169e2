"""Intrinsic functions: from what a template says to the values a resource gets.

A function that needs a resource whose value is not known yet (a change set looks ahead, before anything is created)
raises `NotYetKnownError`; everything else that cannot be resolved raises `IntrinsicError` in CloudFormation's words.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

SUBSTITUTION = re.compile(r"\$\{(!?)([^}]*)\}")
DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:([^:}]+):([^}]+)\}\}")
_NO_VALUE: Any = object()


class IntrinsicError(Exception):
    """A value that cannot be resolved; the message says which and why."""


class NotYetKnownError(Exception):
    """The value depends on a resource that does not exist yet or is about to be replaced."""

    def __init__(self, logical_id: str, attribute: str | None) -> None:
        super().__init__(logical_id)
        self.logical_id = logical_id
        self.attribute = attribute

    @property
    def causing_entity(self) -> str:
        """The reference as a change set spells it: ``Bucket`` or ``Bucket.Arn``."""
        return f"{self.logical_id}.{self.attribute}" if self.attribute else self.logical_id


class Resources(Protocol):
    """Where Ref and GetAtt look resources up."""

    def ref(self, logical_id: str) -> str:
        """Return what Ref gives: the physical id or the value the type's page names."""
        ...

    def attribute(self, logical_id: str, name: str) -> Any:
        """Return what GetAtt gives."""
        ...


@dataclass(frozen=True, kw_only=True)
class Resolver:
    """Resolves the values of one stack.

    Parameters
    ----------
    pseudo_parameters : Mapping of str
        ``AWS::Region`` and its like.
    parameters : Mapping of str
        Values of the template's parameters, SSM parameters already looked up.
    mappings, conditions : Mapping
        The template's sections of that name.
    resources : Resources
        The stack's resources.
    import_value : Callable
        Export name to value.
    read_parameter : Callable
        SSM parameter name to value, for dynamic references.
    """

    pseudo_parameters: Mapping[str, Any]
    parameters: Mapping[str, Any]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    resources: Resources
    import_value: Callable[[str], str]
    read_parameter: Callable[[str], str]
    _decided: dict[str, bool] = field(default_factory=dict)

    def resolve(self, value: Any) -> Any:
        """Return `value` with every intrinsic function and dynamic reference replaced by what it stands for."""
        resolved = self._resolve(value)
        return None if resolved is _NO_VALUE else resolved

    def condition_holds(self, name: str | None) -> bool:
        """Return whether the named condition of the template holds; no name always holds."""
        if name is None:
            return True
        if name not in self.conditions:
            raise IntrinsicError(f"Template error: condition {name} is not defined in the Conditions block.")
        if name not in self._decided:
            self._decided[name] = self.truth(self.conditions[name])
        return self._decided[name]

    def truth(self, value: Any) -> bool:
        """Return what a condition expression gives."""
        if isinstance(value, dict) and set(value) == {"Condition"}:
            return self.condition_holds(value["Condition"])
        resolved = self.resolve(value)
        if isinstance(resolved, bool):
            return resolved
        if resolved in ("true", "false"):
            return bool(resolved == "true")
        raise IntrinsicError(f"Template error: {value!r} is no condition.")

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, str):
            return DYNAMIC_REFERENCE.sub(self._dynamic_reference, value)
        if isinstance(value, list):
            return [item for item in map(self._resolve, value) if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref":
                return self._ref(argument)
            if isinstance(name, str) and name.startswith("Fn::"):
                return self._call(name, argument)
        resolved = {key: self._resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not _NO_VALUE}

    def _call(self, name: str, argument: Any) -> Any:
        function = _FUNCTIONS.get(name)
        if function is None:
            raise IntrinsicError(f"Template error: the sandbox does not know {name}; it knows {sorted(_FUNCTIONS)}.")
        return function(self, argument)

    def _text(self, value: Any, where: str) -> str:
        resolved = self.resolve(value)
        if isinstance(resolved, bool):
            return str(resolved).lower()
        if isinstance(resolved, (str, int, float)):
            return str(resolved)
        raise IntrinsicError(f"Template error: every {where} must be a string, got {resolved!r}.")

    def _list(self, value: Any, where: str) -> list[Any]:
        resolved = self.resolve(value)
        if not isinstance(resolved, list):
            raise IntrinsicError(f"Template error: {where} requires a list, got {resolved!r}.")
        return resolved

    def _dynamic_reference(self, match: re.Match[str]) -> str:
        service, key = match.groups()
        if service != "ssm":
            raise IntrinsicError(f"The sandbox resolves {{{{resolve:ssm:...}}}} only, got {match.group(0)}.")
        try:
            return self.read_parameter(key)
        except LookupError as error:
            raise IntrinsicError(str(error.args[0])) from error

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self.pseudo_parameters:
            return self.pseudo_parameters[name]
        if name in self.parameters:
            return self.parameters[name]
        return self.resources.ref(name)

    def _get_att(self, argument: Any) -> Any:
        parts = argument.split(".", 1) if isinstance(argument, str) else list(argument)
        return self.resources.attribute(parts[0], self._text(parts[1], "attribute name of Fn::GetAtt"))

    def _sub(self, argument: Any) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else argument

        def substitute(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in variables:
                return self._text(variables[name], "value of Fn::Sub")
            value = self._get_att(name) if "." in name else self._ref(name)
            return self._text(value, "value of Fn::Sub")

        return str(self._resolve(SUBSTITUTION.sub(substitute, text)))

    def _join(self, argument: Any) -> str:
        separator, items = argument
        return str(separator).join(self._text(item, "item of Fn::Join") for item in self._list(items, "Fn::Join"))

    def _split(self, argument: Any) -> list[str]:
        separator, source = argument
        return self._text(source, "source of Fn::Split").split(separator)

    def _select(self, argument: Any) -> Any:
        index, items = int(self._text(argument[0], "index of Fn::Select")), self._list(argument[1], "Fn::Select")
        if not 0 <= index < len(items):
            raise IntrinsicError(f"Template error: Fn::Select cannot select nonexistent value at index {index}.")
        return items[index]

    def _find_in_map(self, argument: Any) -> Any:
        name, first, second = (self._text(key, "key of Fn::FindInMap") for key in argument)
        try:
            return self.mappings[name][first][second]
        except KeyError as error:
            message = f"Template error: Unable to get mapping for {name}::{first}::{second}"
            raise IntrinsicError(message) from error

    def _base64(self, argument: Any) -> str:
        return base64.b64encode(self._text(argument, "argument of Fn::Base64").encode()).decode()

    def _cidr(self, argument: Any) -> list[str]:
        block, count, *bits = (self._text(item, "argument of Fn::Cidr") for item in argument)
        network = ipaddress.ip_network(block)
        host_bits = int(bits[0]) if bits else 8
        subnets = network.subnets(new_prefix=network.max_prefixlen - host_bits)
        return [str(subnet) for subnet, _ in zip(subnets, range(int(count)), strict=False)]

    def _get_azs(self, argument: Any) -> list[str]:
        region = self._text(argument, "region of Fn::GetAZs") or self.pseudo_parameters["AWS::Region"]
        return [f"{region}{zone}" for zone in "abc"]

    def _import(self, argument: Any) -> str:
        return self.import_value(self._text(argument, "name of Fn::ImportValue"))

    def _if(self, argument: Any) -> Any:
        condition, when_true, when_false = argument
        return self._resolve(when_true if self.condition_holds(condition) else when_false)

    def _equals(self, argument: Any) -> bool:
        left, right = (self.resolve(side) for side in argument)
        return bool(left == right)

    def _contains(self, argument: Any) -> bool:
        return self.resolve(argument[1]) in self._list(argument[0], "Fn::Contains")


_FUNCTIONS: dict[str, Callable[[Resolver, Any], Any]] = {
    "Fn::GetAtt": Resolver._get_att,
    "Fn::Sub": Resolver._sub,
    "Fn::Join": Resolver._join,
    "Fn::Split": Resolver._split,
    "Fn::Select": Resolver._select,
    "Fn::FindInMap": Resolver._find_in_map,
    "Fn::Base64": Resolver._base64,
    "Fn::Cidr": Resolver._cidr,
    "Fn::GetAZs": Resolver._get_azs,
    "Fn::ImportValue": Resolver._import,
    "Fn::If": Resolver._if,
    "Fn::Equals": Resolver._equals,
    "Fn::Not": lambda resolver, argument: not resolver.truth(argument[0]),
    "Fn::And": lambda resolver, argument: all(map(resolver.truth, argument)),
    "Fn::Or": lambda resolver, argument: any(map(resolver.truth, argument)),
    "Fn::Contains": Resolver._contains,
}
