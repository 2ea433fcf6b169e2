"""Template rules: assertions on parameters, such as the CDK's check of the bootstrap version."""

from __future__ import annotations

from sandbox.cloudformation.errors import ValidationError
from sandbox.cloudformation.intrinsics import Resolver
from sandbox.cloudformation.template import Template


def check_rules(template: Template, resolver: Resolver) -> None:
    """Evaluate every rule of the template.

    Raises
    ------
    ValidationError
        Describes every assertion that does not hold.
    """
    broken = [
        assertion.get("AssertDescription", f"Rule {name} does not hold.")
        for name, rule in template.section("Rules").items()
        if "RuleCondition" not in rule or resolver.truth(rule["RuleCondition"])
        for assertion in rule.get("Assertions", [])
        if not resolver.truth(assertion["Assert"])
    ]
    if broken:
        raise ValidationError(f"Template validation error: {' '.join(broken)}")
