"""Stacks without the CDK."""

from __future__ import annotations

from contextlib import suppress

from botocore.exceptions import WaiterError

from sandbox.runtime import Runtime


class Stacks:
    """Creates, updates and deletes stacks by boto3, and waits."""

    def __init__(self, runtime: Runtime) -> None:
        self._client = runtime.client("cloudformation")

    def status(self, name: str) -> str:
        return str(self._client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    def create(self, name: str, body: str) -> str:
        arn = self._client.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        return self._settle("stack_create_complete", str(arn["StackId"]))

    def update(self, name: str, body: str) -> str:
        self._client.update_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        return self._settle("stack_update_complete", name)

    def delete(self, name: str) -> str:
        stack_id = self._client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self._client.delete_stack(StackName=name)
        return self._settle("stack_delete_complete", stack_id)

    def _settle(self, waiter: str, name: str) -> str:
        with suppress(WaiterError):  # the status says what happened
            self._client.get_waiter(waiter).wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        return self.status(name)

    def physical_ids(self, name: str) -> dict[str, str]:
        found = self._client.describe_stack_resources(StackName=name)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}

    def reasons(self, name: str) -> str:
        events = self._client.describe_stack_events(StackName=name)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        return "\n".join(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed)
