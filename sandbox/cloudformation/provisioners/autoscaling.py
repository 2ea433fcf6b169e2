"""Application Auto Scaling."""

from __future__ import annotations

from sandbox.cloudformation.provisioner import Outcome, Provisioner, ProvisioningError, Request, provisions

_TARGET = ("ResourceId", "ScalableDimension", "ServiceNamespace")
_SERVICE = "application-autoscaling"


@provisions("AWS::ApplicationAutoScaling::ScalableTarget")
class ScalableTarget(Provisioner):
    """A registered target with its scheduled actions; deleting it deletes its policies too."""

    replaced_by = frozenset(_TARGET)

    def create(self, request: Request) -> Outcome:
        """RegisterScalableTarget; one that is registered already makes it fail."""
        resource_id, dimension, namespace = (request.properties[name] for name in _TARGET)
        known = request.call(
            _SERVICE,
            "describe_scalable_targets",
            *("ServiceNamespace", "ScalableDimension"),
            ResourceIds=[resource_id],
        )
        physical_id = f"{resource_id}|{dimension}|{namespace}"
        if known["ScalableTargets"]:
            raise ProvisioningError(f"{physical_id} already exists")
        return self._register(request, physical_id)

    def update(self, request: Request) -> Outcome:
        """RegisterScalableTarget again, which changes the bounds."""
        return self._register(request, request.physical_id)

    def delete(self, request: Request) -> None:
        """DeregisterScalableTarget."""
        request.call(_SERVICE, "deregister_scalable_target", *_TARGET)

    def _register(self, request: Request, physical_id: str) -> Outcome:
        request.call_with_all(_SERVICE, "register_scalable_target", "ScheduledActions")
        wanted = {action["ScheduledActionName"]: action for action in request.properties.get("ScheduledActions", [])}
        for action in request.old_properties.get("ScheduledActions", []):
            if (name := action["ScheduledActionName"]) not in wanted:
                request.call(_SERVICE, "delete_scheduled_action", *_TARGET, ScheduledActionName=name)
        for action in wanted.values():
            request.call(_SERVICE, "put_scheduled_action", *_TARGET, **action)
        return Outcome(physical_id, {"Id": physical_id})


@provisions("AWS::ApplicationAutoScaling::ScalingPolicy")
class ScalingPolicy(Provisioner):
    """A scaling policy of a registered target."""

    replaced_by = frozenset({"PolicyName", "ScalingTargetId", *_TARGET})

    def create(self, request: Request) -> Outcome:
        """PutScalingPolicy."""
        target = _target(request)
        arn = request.call_with_all(_SERVICE, "put_scaling_policy", "ScalingTargetId", **target)["PolicyARN"]
        return Outcome(arn, {"Arn": arn})

    def update(self, request: Request) -> Outcome:
        """PutScalingPolicy, which replaces the policy of that name."""
        return self.create(request)

    def delete(self, request: Request) -> None:
        """DeleteScalingPolicy."""
        request.call(_SERVICE, "delete_scaling_policy", "PolicyName", **_target(request))


def _target(request: Request) -> dict[str, str]:
    """Return the target's three names, taken apart when the policy refers to the target's id."""
    if "ScalingTargetId" in request.properties:
        return dict(zip(_TARGET, request.properties["ScalingTargetId"].split("|"), strict=True))
    return {name: request.properties[name] for name in _TARGET}
