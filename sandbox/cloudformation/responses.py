"""The CloudFormation API: requests in, descriptions out. An action that is not here is answered with status 400."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, BaseResponse, EmptyResult

from sandbox.cloudformation import describe
from sandbox.cloudformation.change_set import ChangeSet
from sandbox.cloudformation.errors import ValidationError
from sandbox.cloudformation.models import cloudformation_backends
from sandbox.cloudformation.planning import check_template
from sandbox.cloudformation.service import CloudFormationService
from sandbox.cloudformation.stack import Stack
from sandbox.cloudformation.stack_policy import parse_policy


class CloudFormationResponse(BaseResponse):
    """One method an action, named as moto looks them up."""

    def __init__(self) -> None:
        super().__init__(service_name="cloudformation")
        self.automated_parameter_parsing = True

    @property
    def _service(self) -> CloudFormationService:
        service: CloudFormationService = cloudformation_backends[self.current_account][self.region].service
        return service

    @property
    def _request(self) -> dict[str, Any]:
        request: dict[str, Any] = self.params
        return request

    def _stack(self) -> Stack:
        return self._service.find(self._request["StackName"])

    # Stacks

    def create_stack(self) -> ActionResult:
        """CreateStack."""
        return self._started(self._service.create_stack(self._request))

    def update_stack(self) -> ActionResult:
        """UpdateStack."""
        return self._started(self._service.update_stack(self._request))

    def rollback_stack(self) -> ActionResult:
        """RollbackStack."""
        return self._started(self._service.roll_back(self._request["StackName"]))

    def _started(self, stack: Stack) -> ActionResult:
        self._service.wait_for(stack)
        return ActionResult({"StackId": stack.stack_id})

    def delete_stack(self) -> EmptyResult:
        """DeleteStack."""
        stack = self._service.delete_stack(
            self._request["StackName"], frozenset(self._request.get("RetainResources", []))
        )
        if stack:
            self._service.wait_for(stack)
        return EmptyResult()

    def cancel_update_stack(self) -> EmptyResult:
        """CancelUpdateStack."""
        self._service.cancel_update(self._request["StackName"])
        return EmptyResult()

    def continue_update_rollback(self) -> ActionResult:
        """ContinueUpdateRollback."""
        skipped = frozenset(self._request.get("ResourcesToSkip", []))
        self._service.continue_rollback(self._request["StackName"], skipped)
        return ActionResult({})

    def describe_stacks(self) -> ActionResult:
        """DescribeStacks."""
        named = "StackName" in self._request
        stacks = [self._stack()] if named else list(self._service.live_stacks())
        return ActionResult({"Stacks": [describe.stack(stack) for stack in stacks]})

    def list_stacks(self) -> ActionResult:
        """ListStacks."""
        wanted = self._request.get("StackStatusFilter")
        stacks = [stack for stack in self._service.stacks() if not wanted or stack.status in wanted]
        return ActionResult({"StackSummaries": [describe.stack_summary(stack) for stack in stacks]})

    def describe_stack_events(self) -> ActionResult:
        """DescribeStackEvents."""
        stack = self._stack()
        events = [describe.event(stack, event) for event in reversed(stack.events)]
        start = int(self._request.get("NextToken", 0))
        page = {"StackEvents": events[start : start + 100]}
        return ActionResult(page | ({"NextToken": str(start + 100)} if len(events) > start + 100 else {}))

    def describe_stack_resource(self) -> ActionResult:
        """DescribeStackResource."""
        stack = self._stack()
        name = self._request["LogicalResourceId"]
        if name not in stack.resources:
            raise ValidationError(f"Resource {name} does not exist for stack {stack.name}")
        return ActionResult({"StackResourceDetail": describe.resource(stack, stack.resources[name])})

    def describe_stack_resources(self) -> ActionResult:
        """DescribeStackResources."""
        physical_id = self._request.get("PhysicalResourceId")
        stacks = list(self._service.live_stacks()) if physical_id else [self._stack()]
        found = [
            describe.resource(stack, resource)
            for stack in stacks
            for resource in stack.resources.values()
            if physical_id in (None, resource.physical_id)
            and self._request.get("LogicalResourceId") in (None, resource.logical_id)
        ]
        if physical_id and not found:
            raise ValidationError(f"Stack for {physical_id} does not exist")
        return ActionResult({"StackResources": found})

    def list_stack_resources(self) -> ActionResult:
        """ListStackResources."""
        stack = self._stack()
        resources = [describe.resource(stack, resource) for resource in stack.resources.values()]
        return ActionResult({"StackResourceSummaries": resources})

    def update_termination_protection(self) -> ActionResult:
        """UpdateTerminationProtection."""
        stack = self._stack()
        stack.termination_protection = self._request["EnableTerminationProtection"]
        return ActionResult({"StackId": stack.stack_id})

    def set_stack_policy(self) -> EmptyResult:
        """SetStackPolicy."""
        self._stack().policy = parse_policy(self._request["StackPolicyBody"])
        return EmptyResult()

    def get_stack_policy(self) -> ActionResult:
        """GetStackPolicy."""
        policy = self._stack().policy
        return ActionResult({"StackPolicyBody": policy} if policy else {})

    # Exports

    def list_exports(self) -> ActionResult:
        """ListExports."""
        exports = [
            {"ExportingStackId": stack.stack_id, "Name": name, "Value": output.value}
            for name, (stack, output) in sorted(self._service.exports().items())
        ]
        return ActionResult({"Exports": exports})

    def list_imports(self) -> ActionResult:
        """ListImports."""
        importers = self._service.importers(self._request["ExportName"])
        if not importers:
            raise ValidationError(f"Export '{self._request['ExportName']}' is not imported by any stack.")
        return ActionResult({"Imports": importers})

    # Templates

    def get_template(self) -> ActionResult:
        """GetTemplate."""
        if "ChangeSetName" in self._request:
            _, change_set = self._change_set()
            desired = change_set.desired
        else:
            desired = self._stack().desired
        body = desired.template.body if desired else "{}"
        return ActionResult({"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]})

    def get_template_summary(self) -> ActionResult:
        """GetTemplateSummary."""
        stack = self._stack() if "StackName" in self._request else None
        if stack and stack.desired:
            return ActionResult(describe.template(stack.desired.template))
        return ActionResult(describe.template(self._service.resolve_template(self._request, None)))

    def validate_template(self) -> ActionResult:
        """ValidateTemplate."""
        template = self._service.resolve_template(self._request, None)
        check_template(template)
        return ActionResult(describe.template(template))

    # Change sets

    def _change_set(self) -> tuple[Stack, ChangeSet]:
        return self._service.find_change_set(self._request["ChangeSetName"], self._request.get("StackName"))

    def create_change_set(self) -> ActionResult:
        """CreateChangeSet."""
        stack, change_set = self._service.create_change_set(self._request)
        return ActionResult({"Id": change_set.change_set_id, "StackId": stack.stack_id})

    def describe_change_set(self) -> ActionResult:
        """DescribeChangeSet."""
        stack, change_set = self._change_set()
        with_values = bool(self._request.get("IncludePropertyValues"))
        return ActionResult(describe.change_set(stack, change_set, with_values=with_values))

    def list_change_sets(self) -> ActionResult:
        """ListChangeSets."""
        stack = self._stack()
        summaries = [describe.change_set_summary(stack, item) for item in self._service.change_sets(stack)]
        return ActionResult({"Summaries": summaries})

    def execute_change_set(self) -> ActionResult:
        """ExecuteChangeSet."""
        stack = self._service.execute_change_set(
            self._request["ChangeSetName"],
            self._request.get("StackName"),
            disable_rollback=self._request.get("DisableRollback", False),
        )
        self._service.wait_for(stack)
        return ActionResult({})

    def delete_change_set(self) -> ActionResult:
        """DeleteChangeSet."""
        self._service.delete_change_set(self._request["ChangeSetName"], self._request.get("StackName"))
        return ActionResult({})
