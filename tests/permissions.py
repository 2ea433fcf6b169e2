"""The permissions of what is deployed, and the proof that each is needed.

A recording holds every role of a journey through the sandbox, with the statements of its policies as the template has
them and as they were deployed, and the calls the roles made. It is committed: a test of seconds proves on it what a
journey of minutes renews.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sandbox.permissions.policy import Call, allows, applies, listed

HERE = Path(__file__).parent
RECORDING = HERE / "integration" / "__snapshots__" / "test_least_privilege" / "test_recording_is_up_to_date.json"
REASONS = HERE / "unrecorded_permissions.toml"

_LOGICAL_ID_HASH = re.compile(r"[0-9A-F]{8}$")
_MASKS = (  # what differs from one deployment to the next, and means nothing
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "uuid"),
    (re.compile(r"(?<=-)[0-9a-z]{12}\b|(?<=-)[0-9A-Z]{12}\b"), "suffix"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "asset"),
)


@dataclass(frozen=True)
class Grant:
    """One action of one statement of a role; `number` counts the role's statements."""

    role: str
    action: str
    number: int


@dataclass(frozen=True)
class Role:
    """A deployed role.

    Parameters
    ----------
    name : str
        Stack and logical id, without what differs between environments: ``training/JobRole``.
    arn : str
        Of this deployment.
    template, statements : list of dict
        Its policies' statements as the template has them, and with intrinsic functions resolved.
    """

    name: str
    arn: str
    template: list[dict[str, Any]]
    statements: list[dict[str, Any]]

    def grants(self) -> Iterator[Grant]:
        """Yield every action of every statement."""
        for number, statement in enumerate(self.statements):
            for action in listed(statement["Action"]):
                yield Grant(self.name, action, number)

    def without(self, grant: Grant) -> list[dict[str, Any]]:
        """Return the statements less one action of one of them."""
        statements = list(self.statements)
        less = [each for each in listed(statements[grant.number]["Action"]) if each != grant.action]
        statements[grant.number] = {**statements[grant.number], "Action": less}
        return statements

    def needs(self, grant: Grant, calls: Iterable[Call]) -> bool:
        """Return whether one of `calls`, which the role may make, would be refused without `grant`."""
        wanted, rest = {**self.statements[grant.number], "Action": grant.action}, self.without(grant)
        return any(applies(wanted, call) and not allows(rest, call) for call in calls)


@dataclass
class Reason:
    """An entry of unrecorded_permissions.toml."""

    role: str
    actions: list[str]
    reason: str
    page: str
    used: bool = False

    def covers(self, grant: Grant) -> bool:
        """Return whether it is about `grant`."""
        return fnmatchcase(grant.role, self.role) and grant.action.lower() in [each.lower() for each in self.actions]


def reasons() -> list[Reason]:
    """Return the entries of unrecorded_permissions.toml."""
    return [Reason(**entry) for entry in tomllib.loads(REASONS.read_text(encoding="utf-8"))["permission"]]


def read_recording() -> tuple[list[Role], dict[str, list[Call]]]:
    """Return the committed recording: the roles, and the calls by the ARN of the role."""
    recording = json.loads(RECORDING.read_text(encoding="utf-8"))
    calls: dict[str, list[Call]] = {}
    for each in recording["calls"]:
        call = Call(each["action"], each["resource"], tuple(each["context"].items()))
        calls.setdefault(each["role"], []).append(call)
    return [Role(**role) for role in recording["roles"]], calls


def problems(roles: Iterable[Role], calls: Mapping[str, list[Call]], entries: list[Reason]) -> list[str]:
    """Return what is wrong: a permission that no call needs and no entry explains, or an entry about nothing."""
    found = set()
    for role in roles:
        for grant in role.grants():
            if role.needs(grant, calls.get(role.arn, [])):
                continue
            covering = [entry for entry in entries if entry.covers(grant)]
            for entry in covering:
                entry.used = True
            if not covering:
                found.add(f"{grant.role} {grant.action}: no recorded call needs it, {REASONS.name} does not explain it")
    found |= {f"{REASONS.name}: no permission is {each.role} {each.actions}" for each in entries if not each.used}
    return sorted(found)


def template_statements(template: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the statements of every role of a template, by the role's logical id."""
    found: dict[str, list[dict[str, Any]]] = {}
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            assert not resource["Properties"].get("ManagedPolicyArns"), f"{logical_id} has a policy that is not ours"
            found.setdefault(logical_id, [])
        elif resource["Type"] == "AWS::IAM::Policy":
            for role in resource["Properties"]["Roles"]:
                found.setdefault(role["Ref"], []).extend(resource["Properties"]["PolicyDocument"]["Statement"])
    return found


def role_name(thing: str, logical_id: str) -> str:
    """Return what a role of the stack of `thing` is called here."""
    return f"{thing}/{_LOGICAL_ID_HASH.sub('', logical_id)}"


def masked(document: Any, env: str) -> Any:
    """Return a JSON document without what differs between deployments, or environments."""
    text = json.dumps(document)
    for pattern, name in _MASKS:
        text = pattern.sub(name, text)
    return json.loads(re.sub(rf"kdd99([-/]){env}\b", r"kdd99\1ENV", text))
