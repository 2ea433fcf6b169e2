"""Key Management Service."""

from __future__ import annotations

from sandbox.cloudformation.provisioner import Outcome, Provisioner, Request, provisions


@provisions("AWS::KMS::Key")
class Key(Provisioner):
    """A key; deleting it schedules its deletion, as in AWS."""

    replaced_by = frozenset()
    updated_in_place = frozenset({"Description", "EnableKeyRotation", "KeyPolicy", "PendingWindowInDays"})

    def create(self, request: Request) -> Outcome:
        """CreateKey."""
        tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in request.properties.get("Tags", [])]
        left_out = ("KeyPolicy", "EnableKeyRotation", "PendingWindowInDays", "Tags")
        made = request.call_with_all("kms", "create_key", *left_out, Policy=request.properties["KeyPolicy"], Tags=tags)
        key_id = made["KeyMetadata"]["KeyId"]
        self._set_rotation(request, key_id)
        return self._outcome(request, key_id)

    def update(self, request: Request) -> Outcome:
        """Put what changed."""
        key_id = request.physical_id
        if request.changed("KeyPolicy"):
            policy = request.properties["KeyPolicy"]
            request.call("kms", "put_key_policy", KeyId=key_id, PolicyName="default", Policy=policy)
        if request.changed("Description"):
            description = request.properties.get("Description", "")
            request.call("kms", "update_key_description", KeyId=key_id, Description=description)
        self._set_rotation(request, key_id)
        return self._outcome(request, key_id)

    def delete(self, request: Request) -> None:
        """ScheduleKeyDeletion."""
        days = request.properties.get("PendingWindowInDays", 30)
        request.call("kms", "schedule_key_deletion", KeyId=request.physical_id, PendingWindowInDays=days)

    def _set_rotation(self, request: Request, key_id: str) -> None:
        if request.changed("EnableKeyRotation"):
            rotates = str(request.properties.get("EnableKeyRotation", False)).lower() == "true"
            request.call("kms", "enable_key_rotation" if rotates else "disable_key_rotation", KeyId=key_id)

    def _outcome(self, request: Request, key_id: str) -> Outcome:
        return Outcome(key_id, {"Arn": request.arn("kms", f"key/{key_id}"), "KeyId": key_id})


@provisions("AWS::KMS::Alias")
class Alias(Provisioner):
    """An alias of a key."""

    replaced_by = frozenset({"AliasName"})

    def create(self, request: Request) -> Outcome:
        """CreateAlias."""
        request.call_with_all("kms", "create_alias")
        return Outcome(request.properties["AliasName"])

    def update(self, request: Request) -> Outcome:
        """UpdateAlias."""
        request.call_with_all("kms", "update_alias")
        return Outcome(request.physical_id)

    def delete(self, request: Request) -> None:
        """DeleteAlias."""
        request.call("kms", "delete_alias", AliasName=request.physical_id)
