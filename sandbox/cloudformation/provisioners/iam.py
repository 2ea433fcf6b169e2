"""Identity and Access Management.

As in AWS, a role that still has policies cannot be deleted: deletion detaches only what the resource itself declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.cloudformation.provisioner import Outcome, Provisioner, Request, provisions


@provisions("AWS::IAM::Role")
class Role(Provisioner):
    """A role with its inline and attached policies."""

    replaced_by = frozenset({"RoleName", "Path"})
    updated_in_place = frozenset(
        {"AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration", "Policies", "Tags"}
    )

    def create(self, request: Request) -> Outcome:
        """CreateRole, then the policies."""
        name = request.physical_name("RoleName", longest=64)
        role = request.call_with_all("iam", "create_role", "RoleName", "Policies", "ManagedPolicyArns", RoleName=name)[
            "Role"
        ]
        self._sync_policies(request, name)
        return Outcome(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def update(self, request: Request) -> Outcome:
        """Put what changed."""
        name = request.physical_id
        if request.changed("AssumeRolePolicyDocument"):
            document = request.properties["AssumeRolePolicyDocument"]
            request.call("iam", "update_assume_role_policy", RoleName=name, PolicyDocument=document)
        if request.changed("Description", "MaxSessionDuration"):
            arguments = {"Description": "", "MaxSessionDuration": 3600} | {
                key: value for key, value in request.properties.items() if key in {"Description", "MaxSessionDuration"}
            }
            request.call("iam", "update_role", RoleName=name, **arguments)
        if gone := _missing(_keys(request.old_properties), _keys(request.properties)):
            request.call("iam", "untag_role", RoleName=name, TagKeys=gone)
        if request.changed("Tags") and request.properties.get("Tags"):
            request.call("iam", "tag_role", "Tags", RoleName=name)
        self._sync_policies(request, name)
        role = request.client("iam").get_role(RoleName=name)["Role"]
        return Outcome(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def delete(self, request: Request) -> None:
        """Detach what this resource attached, then DeleteRole."""
        name = request.physical_id
        for arn in request.properties.get("ManagedPolicyArns", []):
            request.call("iam", "detach_role_policy", RoleName=name, PolicyArn=arn)
        for policy in request.properties.get("Policies", []):
            request.call("iam", "delete_role_policy", RoleName=name, PolicyName=policy["PolicyName"])
        request.call("iam", "delete_role", RoleName=name)

    def _sync_policies(self, request: Request, name: str) -> None:
        old, new = request.old_properties, request.properties
        for arn in _missing(old.get("ManagedPolicyArns"), new.get("ManagedPolicyArns")):
            request.call("iam", "detach_role_policy", RoleName=name, PolicyArn=arn)
        for arn in _missing(new.get("ManagedPolicyArns"), old.get("ManagedPolicyArns")):
            request.call("iam", "attach_role_policy", RoleName=name, PolicyArn=arn)
        kept = {policy["PolicyName"] for policy in new.get("Policies", [])}
        for policy in old.get("Policies", []):
            if policy["PolicyName"] not in kept:
                request.call("iam", "delete_role_policy", RoleName=name, PolicyName=policy["PolicyName"])
        for policy in new.get("Policies", []):
            request.call("iam", "put_role_policy", **policy, RoleName=name)


@provisions("AWS::IAM::Policy")
class InlinePolicy(Provisioner):
    """An inline policy of roles; users and groups are refused, the sandbox has none."""

    replaced_by = frozenset()

    def create(self, request: Request) -> Outcome:
        """PutRolePolicy on every role."""
        if refused := sorted(request.properties.keys() & {"Users", "Groups"}):
            raise ValueError(f"the sandbox knows policies of Roles only, got {refused}")
        return self._put(request, request.stack_name + "-" + request.logical_id)

    def update(self, request: Request) -> Outcome:
        """Put the policy on the roles it names now, delete it from those it named before."""
        old = request.old_properties
        renamed = request.changed("PolicyName")
        for role in old["Roles"] if renamed else _missing(old["Roles"], request.properties["Roles"]):
            request.call("iam", "delete_role_policy", RoleName=role, PolicyName=old["PolicyName"])
        return self._put(request, request.physical_id)

    def delete(self, request: Request) -> None:
        """DeleteRolePolicy on every role."""
        for role in request.properties["Roles"]:
            request.call("iam", "delete_role_policy", "PolicyName", RoleName=role)

    def _put(self, request: Request, physical_id: str) -> Outcome:
        for role in request.properties["Roles"]:
            request.call("iam", "put_role_policy", "PolicyName", "PolicyDocument", RoleName=role)
        return Outcome(physical_id)


@provisions("AWS::IAM::ManagedPolicy")
class ManagedPolicy(Provisioner):
    """A customer managed policy and the roles it is attached to."""

    replaced_by = frozenset({"ManagedPolicyName", "Path", "Description"})

    def create(self, request: Request) -> Outcome:
        """CreatePolicy and AttachRolePolicy."""
        name = request.physical_name("ManagedPolicyName", longest=128)
        arn = request.call("iam", "create_policy", "Path", "Description", "PolicyDocument", "Tags", PolicyName=name)
        return self._attach(request, arn["Policy"]["Arn"])

    def update(self, request: Request) -> Outcome:
        """CreatePolicyVersion as the default, without keeping the version before."""
        arn = request.physical_id
        if request.changed("PolicyDocument"):
            before = request.client("iam").get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            request.call("iam", "create_policy_version", "PolicyDocument", PolicyArn=arn, SetAsDefault=True)
            request.call("iam", "delete_policy_version", PolicyArn=arn, VersionId=before)
        for role in _missing(request.old_properties.get("Roles"), request.properties.get("Roles")):
            request.call("iam", "detach_role_policy", RoleName=role, PolicyArn=arn)
        return self._attach(request, arn)

    def delete(self, request: Request) -> None:
        """Detach, then DeletePolicy."""
        for role in request.properties.get("Roles", []):
            request.call("iam", "detach_role_policy", RoleName=role, PolicyArn=request.physical_id)
        request.call("iam", "delete_policy", PolicyArn=request.physical_id)

    def _attach(self, request: Request, arn: str) -> Outcome:
        for role in _missing(request.properties.get("Roles"), request.old_properties.get("Roles")):
            request.call("iam", "attach_role_policy", RoleName=role, PolicyArn=arn)
        return Outcome(arn, {"PolicyArn": arn})


def _keys(properties: Mapping[str, Any]) -> list[str]:
    return [tag["Key"] for tag in properties.get("Tags", [])]


def _missing(these: Iterable[Any] | None, those: Iterable[Any] | None) -> list[Any]:
    present = list(those or [])
    return [item for item in these or [] if item not in present]
