"""CloudWatch Logs."""

from __future__ import annotations

from sandbox.cloudformation.provisioner import Outcome, Provisioner, Request, provisions


@provisions("AWS::Logs::LogGroup")
class LogGroup(Provisioner):
    """A log group with its retention."""

    replaced_by = frozenset({"LogGroupName"})
    updated_in_place = frozenset({"RetentionInDays"})

    def create(self, request: Request) -> Outcome:
        """CreateLogGroup."""
        name = request.physical_name("LogGroupName", longest=512)
        left_out = ("LogGroupName", "RetentionInDays")
        request.call_with_all("logs", "create_log_group", *left_out, LogGroupName=name)
        return self._set_retention(request, name)

    def update(self, request: Request) -> Outcome:
        """Put what changed."""
        return self._set_retention(request, request.physical_id)

    def delete(self, request: Request) -> None:
        """DeleteLogGroup."""
        request.call("logs", "delete_log_group", LogGroupName=request.physical_id)

    def _set_retention(self, request: Request, name: str) -> Outcome:
        if request.changed("RetentionInDays"):
            if "RetentionInDays" in request.properties:
                request.call("logs", "put_retention_policy", "RetentionInDays", LogGroupName=name)
            else:
                request.call("logs", "delete_retention_policy", LogGroupName=name)
        return Outcome(name, {"Arn": request.arn("logs", f"log-group:{name}:*")})


@provisions("AWS::Logs::ResourcePolicy")
class ResourcePolicy(Provisioner):
    """A policy that lets a service write logs."""

    replaced_by = frozenset({"PolicyName"})

    def create(self, request: Request) -> Outcome:
        """PutResourcePolicy."""
        request.call_with_all("logs", "put_resource_policy")
        return Outcome(request.properties["PolicyName"])

    def update(self, request: Request) -> Outcome:
        """PutResourcePolicy."""
        return self.create(request)

    def delete(self, request: Request) -> None:
        """DeleteResourcePolicy."""
        request.call("logs", "delete_resource_policy", PolicyName=request.physical_id)
