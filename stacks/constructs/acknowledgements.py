"""Findings of cdk-nag's AwsSolutions pack that stay, each with its reason, written where the construct is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsii
from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct, IValidation

WILDCARD_RULE = "IAM5"


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept the finding of `rule`, such as ``APIG3``, on `construct` and below."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))


def acknowledge_wildcards(role: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accept that `role` names resources by pattern: ARN with a wildcard, and why the wildcard is needed."""
    role.node.add_validation(_Wildcards(role, reasons))


@jsii.implements(IValidation)
class _Wildcards:
    """Acknowledges late: only then is it known how a reference to another stack reads, and findings are named so."""

    def __init__(self, role: IConstruct, reasons: Mapping[str, str]) -> None:
        self._role = role
        self._reasons = reasons

    def validate(self) -> list[str]:
        """Acknowledge; nothing is ever wrong."""
        stack = Stack.of(self._role)
        for arn, reason in self._reasons.items():
            acknowledge(self._role, f"{WILDCARD_RULE}[Resource::{_flat(stack.resolve(arn))}]", reason)
        return []


def _flat(value: Any) -> str:
    """Write a resolved ARN the way cdk-nag names it: references in angle brackets."""
    if isinstance(value, str):
        return value
    (function, argument), *_ = value.items()
    if function == "Fn::Join":
        delimiter, parts = argument
        return str(delimiter).join(_flat(part) for part in parts)
    if function == "Fn::GetAtt":
        return f"<{'.'.join(argument)}>"
    if function == "Ref":
        return f"<{argument}>"
    return _flat(argument)  # Fn::ImportValue
