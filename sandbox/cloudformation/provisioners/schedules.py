"""EventBridge rules and schedules; `sandbox.events` delivers what they say."""

from __future__ import annotations

from sandbox.cloudformation.provisioner import Outcome, Provisioner, Request, provisions


@provisions("AWS::Events::Rule")
class Rule(Provisioner):
    """A rule of an event bus with its targets."""

    replaced_by = frozenset({"Name", "EventBusName"})  # the bus: only when it is another one

    def create(self, request: Request) -> Outcome:
        """PutRule and PutTargets."""
        return self._put(request, request.physical_name("Name", longest=64))

    def update(self, request: Request) -> Outcome:
        """PutRule, PutTargets, and RemoveTargets for those the template no longer names."""
        kept = {target["Id"] for target in request.properties.get("Targets", [])}
        gone = [target["Id"] for target in request.old_properties.get("Targets", []) if target["Id"] not in kept]
        if gone:
            request.call("events", "remove_targets", "EventBusName", Rule=request.physical_id, Ids=gone)
        return self._put(request, request.physical_id)

    def delete(self, request: Request) -> None:
        """RemoveTargets, then DeleteRule."""
        ids = [target["Id"] for target in request.properties.get("Targets", [])]
        if ids:
            request.call("events", "remove_targets", "EventBusName", Rule=request.physical_id, Ids=ids)
        request.call("events", "delete_rule", "EventBusName", Name=request.physical_id)

    def _put(self, request: Request, name: str) -> Outcome:
        request.call_with_all("events", "put_rule", "Targets", "Name", Name=name)
        if request.properties.get("Targets"):
            request.call("events", "put_targets", "EventBusName", "Targets", Rule=name)
        return Outcome(name, {"Arn": request.arn("events", f"rule/{name}")})


@provisions("AWS::Scheduler::Schedule")
class Schedule(Provisioner):
    """A schedule of EventBridge Scheduler."""

    replaced_by = frozenset({"Name"})
    fixed = frozenset({"GroupName"})

    def create(self, request: Request) -> Outcome:
        """CreateSchedule."""
        name = request.physical_name("Name", longest=64)
        arn = request.call_with_all("scheduler", "create_schedule", "Name", Name=name)["ScheduleArn"]
        return Outcome(name, {"Arn": arn})

    def update(self, request: Request) -> Outcome:
        """UpdateSchedule."""
        name = request.physical_id
        arn = request.call_with_all("scheduler", "update_schedule", "Name", Name=name)["ScheduleArn"]
        return Outcome(name, {"Arn": arn})

    def delete(self, request: Request) -> None:
        """DeleteSchedule."""
        request.call("scheduler", "delete_schedule", "GroupName", Name=request.physical_id)
