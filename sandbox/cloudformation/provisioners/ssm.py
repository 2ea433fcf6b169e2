"""Systems Manager parameters."""

from __future__ import annotations

from sandbox.cloudformation.provisioner import Outcome, Provisioner, Request, provisions


@provisions("AWS::SSM::Parameter")
class Parameter(Provisioner):
    """A parameter; its Value and Description change in place."""

    replaced_by = frozenset({"Name"})
    updated_in_place = frozenset({"AllowedPattern", "Description", "Policies", "Tags", "Tier", "Type", "Value"})

    def create(self, request: Request) -> Outcome:
        """PutParameter without Overwrite: a name in use fails."""
        name = request.physical_name("Name", longest=1011)
        request.call_with_all("ssm", "put_parameter", "Name", Name=name, Overwrite=False)
        return self._outcome(request, name)

    def update(self, request: Request) -> Outcome:
        """PutParameter with Overwrite, which takes no tags."""
        name = request.physical_id
        request.call_with_all("ssm", "put_parameter", "Name", "Tags", Name=name, Overwrite=True)
        if request.changed("Tags") and request.properties.get("Tags"):
            request.call("ssm", "add_tags_to_resource", "Tags", ResourceType="Parameter", ResourceId=name)
        return self._outcome(request, name)

    def delete(self, request: Request) -> None:
        """DeleteParameter."""
        request.call("ssm", "delete_parameter", Name=request.physical_id)

    def _outcome(self, request: Request, name: str) -> Outcome:
        return Outcome(name, {"Type": request.properties["Type"], "Value": request.properties["Value"]})
