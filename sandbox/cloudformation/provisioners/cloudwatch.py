"""CloudWatch alarms."""

from __future__ import annotations

from sandbox.cloudformation.provisioner import Outcome, Provisioner, ProvisioningError, Request, provisions


@provisions("AWS::CloudWatch::Alarm")
class Alarm(Provisioner):
    """An alarm on a metric."""

    replaced_by = frozenset({"AlarmName"})
    inert = "evaluated only on one metric of an endpoint; only scaling policies and updates act on it"

    def create(self, request: Request) -> Outcome:
        """PutMetricAlarm; a name in use fails."""
        name = request.physical_name("AlarmName", longest=255)
        if request.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]:
            raise ProvisioningError(f"{name} already exists")
        return self._put(request, name)

    def update(self, request: Request) -> Outcome:
        """PutMetricAlarm again."""
        return self._put(request, request.physical_id)

    def delete(self, request: Request) -> None:
        """DeleteAlarms."""
        request.call("cloudwatch", "delete_alarms", AlarmNames=[request.physical_id])

    def _put(self, request: Request, name: str) -> Outcome:
        request.call_with_all("cloudwatch", "put_metric_alarm", AlarmName=name)
        return Outcome(name, {"Arn": request.arn("cloudwatch", f"alarm:{name}")})
