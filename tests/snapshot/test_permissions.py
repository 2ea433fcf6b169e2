"""Least privilege: every permission is needed by a call that was recorded, or AWS's page says why it is there.

The recording is the journey's of tests/integration/test_least_privilege.py, and renewed by it.
"""

import json
from importlib.resources import files
from typing import Any

import pytest

from sandbox.permissions.policy import Call, allows, listed
from tests.permissions import (
    REASONS,
    Role,
    masked,
    problems,
    read_recording,
    reasons,
    role_name,
    template_statements,
)

ENVIRONMENTS = ("dev", "prod", "sandbox")
# which actions know which resources: cfn-lint ships the Service Authorization Reference
AUTHORIZATION = json.loads((files("cfnlint.data.AdditionalSpecs") / "Policies.json").read_text())
RENEW = "pytest -m verify tests/integration/test_least_privilege.py --snapshot-update"


@pytest.fixture(scope="module")
def roles() -> list[Role]:
    return read_recording()[0]


@pytest.fixture(scope="module")
def calls() -> dict[str, list[Call]]:
    return read_recording()[1]


def test_every_permission_is_needed_or_has_its_reason(roles: list[Role], calls: dict[str, list[Call]]) -> None:
    assert problems(roles, calls, reasons()) == []


def test_every_recorded_call_is_allowed(roles: list[Role], calls: dict[str, list[Call]]) -> None:
    for arn, made in calls.items():
        deployed = [role for role in roles if role.arn == arn]  # one a deployment of the journey
        assert deployed, arn
        for call in made:
            assert any(allows(role.statements, call) for role in deployed), (arn, call)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_templates_hold_the_statements_that_were_recorded(
    env: str, roles: list[Role], templates: dict[str, Any]
) -> None:
    recorded = {(role.name, comparable(statement)) for role in roles for statement in role.template}
    unknown = [
        f"{name}: {statement}"
        for stack, template in templates.items()
        if stack.startswith(prefix := f"kdd99-{env}-")
        for logical_id, statements in template_statements(template).items()
        for statement in masked(statements, env)
        if ((name := role_name(stack.removeprefix(prefix), logical_id)), comparable(statement)) not in recorded
    ]
    assert unknown == [], f"the recording does not know these: renew it with {RENEW}"


def comparable(statement: dict[str, Any]) -> str:
    """Return a statement with each of its resources once: those of equal assets are one in one app, two in another."""
    resources = sorted({json.dumps(resource) for resource in listed(statement["Resource"])})
    return json.dumps({**statement, "Resource": resources}, sort_keys=True)


def test_permission_that_nothing_needs_is_found(roles: list[Role], calls: dict[str, list[Call]]) -> None:
    role = next(role for role in roles if role.name == "training/TrainingStartRole")
    more = {"Effect": "Allow", "Action": "states:StopExecution", "Resource": "*"}
    wider = Role(role.name, role.arn, role.template, [*role.statements, more])
    (problem,) = problems([wider], calls, [])
    assert problem.startswith("training/TrainingStartRole states:StopExecution: no recorded call needs it")


def test_permission_that_is_there_twice_is_found(roles: list[Role], calls: dict[str, list[Call]]) -> None:
    role = next(role for role in roles if role.name == "training/TrainingStartRole")
    twice = Role(role.name, role.arn, role.template, [*role.statements, *role.statements])
    assert len(problems([twice], calls, [])) == len(list(role.grants()))


def test_entry_about_no_permission_is_found(roles: list[Role], calls: dict[str, list[Call]]) -> None:
    stale = reasons()[0]
    stale.role = "training/NoSuchRole"
    assert f"{REASONS.name}: no permission is training/NoSuchRole {stale.actions}" in problems(roles, calls, [stale])


def test_every_entry_names_a_page_of_aws() -> None:
    assert [entry.page for entry in reasons() if not entry.page.startswith("https://docs.aws.amazon.com/")] == []


BOUNDED = {  # permissions on * whose actions know resources, and what bounds them instead
    ("cloudwatch", "putmetricdata"): "a condition on the namespace",
}
MADE_WHILE_RUNNING = {  # stacks/constructs/protection.py names AWS's pages
    ("ec2", f"{verb}networkinterface{what}") for verb in ("create", "delete") for what in ("", "permission")
}
EVERY_RESOURCE = {  # roles that are about everything of a kind
    "serving/InferenceLogRole": "API Gateway has one role for the logs of all APIs of an account",
}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_resource_is_a_star_only_where_actions_know_none(env: str, templates: dict[str, Any]) -> None:
    needless = []
    for stack, template in templates.items():
        if stack.startswith(prefix := f"kdd99-{env}-"):
            for logical_id, statements in template_statements(template).items():
                needless += _needless_stars(role_name(stack.removeprefix(prefix), logical_id), statements)
    assert needless == []


def test_resource_of_a_recorded_role_is_a_star_only_where_actions_know_none(roles: list[Role]) -> None:
    assert [each for role in roles for each in _needless_stars(role.name, role.template)] == []


def _needless_stars(name: str, statements: list[dict[str, Any]]) -> list[str]:
    """Return the actions on any resource that could be bound to some."""
    stars = [each for each in statements if "*" in listed(each["Resource"]) and name not in EVERY_RESOURCE]
    return [f"{name} {action}" for statement in stars for action in _with_resources(statement)]


def _with_resources(statement: dict[str, Any]) -> list[str]:
    """Return the actions of a statement that could be bound to resources, by the Service Authorization Reference."""
    found = []
    for action in listed(statement["Action"]):
        service, _, name = action.lower().partition(":")
        if (service, name) in BOUNDED:
            assert statement["Condition"], f"{action} without the condition that bounds it"
        elif (service, name) not in MADE_WHILE_RUNNING and AUTHORIZATION[service]["Actions"][name].get("Resources"):
            found.append(action)
    return found
