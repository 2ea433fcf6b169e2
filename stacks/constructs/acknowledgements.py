"""Findings of cdk-nag's AwsSolutions pack that stay, each with its reason, written where the construct is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsii
from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import IConstruct, IValidation

WILDCARD_RULE = "IAM5"


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept the finding of `rule`, such as ``APIG3``, on `construct` and below."""
    _acknowledge(construct, {rule: reason})


def _acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    accepted = [Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason) for rule, reason in reasons.items()]
    Validations.of(construct).acknowledge(*accepted)


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
        arns = Stack.of(self._role).resolve(list(self._reasons))
        rules = [f"{WILDCARD_RULE}[Resource::{_flat(arn)}]" for arn in arns]
        _acknowledge(self._role, dict(zip(rules, self._reasons.values(), strict=True)))
        return []


def acknowledge_every_wildcard(scope: IConstruct, reason: str) -> None:
    """Accept all wildcards in policies below `scope`: for constructs of the CDK that make their own roles."""
    scope.node.add_validation(_EveryWildcard(scope, reason))


@jsii.implements(IValidation)
class _EveryWildcard:
    def __init__(self, scope: IConstruct, reason: str) -> None:
        self._scope = scope
        self._reason = reason

    def validate(self) -> list[str]:
        """Acknowledge; nothing is ever wrong."""
        for policy in self._scope.node.find_all():
            if isinstance(policy, iam.CfnPolicy):
                for statement in Stack.of(policy).resolve(policy.policy_document)["Statement"]:
                    for kind in ("Action", "Resource"):
                        self._acknowledge(policy, kind, statement[kind])
        return []

    def _acknowledge(self, policy: IConstruct, kind: str, values: Any) -> None:
        for value in values if isinstance(values, list) else [values]:
            if "*" in (text := _flat(value)):
                acknowledge(policy, f"{WILDCARD_RULE}[{kind}::{text}]", self._reason)


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
