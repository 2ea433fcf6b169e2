"""Stacks, resources, events, templates and change sets in the shapes of the API."""

from __future__ import annotations

import json
from typing import Any

from sandbox.cloudformation.change_set import ChangeSet, describe_change
from sandbox.cloudformation.parameters import Parameter
from sandbox.cloudformation.stack import Desired, Event, Resource, Stack
from sandbox.cloudformation.template import Template


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def stack(item: Stack) -> dict[str, Any]:
    """Return a stack as DescribeStacks does."""
    outputs = [
        _without_none(
            {
                "OutputKey": output.key,
                "OutputValue": output.value,
                "Description": output.description,
                "ExportName": output.export_name,
            }
        )
        for output in item.outputs
    ]
    return stack_summary(item) | _without_none(
        {
            "ChangeSetId": item.change_set_id,
            "Description": item.description,
            "Parameters": _parameters(item.desired),
            "DisableRollback": item.disable_rollback,
            "NotificationARNs": item.notification_arns,
            "Capabilities": item.capabilities,
            "Outputs": outputs,
            "RoleARN": item.role_arn,
            "Tags": item.tags,
            "EnableTerminationProtection": item.termination_protection,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        }
    )


def stack_summary(item: Stack) -> dict[str, Any]:
    """Return a stack as ListStacks does."""
    return _without_none(
        {
            "StackId": item.stack_id,
            "StackName": item.name,
            "CreationTime": item.created_at,
            "LastUpdatedTime": item.updated_at,
            "DeletionTime": item.deleted_at,
            "StackStatus": item.status,
            "StackStatusReason": item.reason,
        }
    )


def _parameters(desired: Desired | None) -> list[dict[str, Any]]:
    return [_parameter(name, parameter) for name, parameter in desired.parameters.items()] if desired else []


def _parameter(name: str, parameter: Parameter) -> dict[str, Any]:
    if parameter.no_echo:
        return {"ParameterKey": name, "ParameterValue": "****"}
    described = {"ParameterKey": name, "ParameterValue": parameter.given}
    if parameter.from_ssm:
        value = parameter.value
        described["ResolvedValue"] = ",".join(value) if isinstance(value, list) else value
    return described


def resource(item: Stack, described: Resource) -> dict[str, Any]:
    """Return a resource as DescribeStackResources and its like do."""
    return _without_none(
        {
            "StackName": item.name,
            "StackId": item.stack_id,
            "LogicalResourceId": described.logical_id,
            "PhysicalResourceId": described.physical_id,
            "ResourceType": described.type_name,
            "Timestamp": described.updated_at,
            "LastUpdatedTimestamp": described.updated_at,
            "ResourceStatus": described.status,
            "ResourceStatusReason": described.reason,
        }
    )


def event(item: Stack, described: Event) -> dict[str, Any]:
    """Return an event as DescribeStackEvents does."""
    properties = described.properties
    return _without_none(
        {
            "StackId": item.stack_id,
            "EventId": described.event_id,
            "StackName": item.name,
            "LogicalResourceId": described.logical_id,
            "PhysicalResourceId": described.physical_id,
            "ResourceType": described.type_name,
            "Timestamp": described.timestamp,
            "ResourceStatus": described.status,
            "ResourceStatusReason": described.reason,
            "ResourceProperties": None if properties is None else json.dumps(properties, default=str),
        }
    )


def template(item: Template) -> dict[str, Any]:
    """Return a template as GetTemplateSummary and ValidateTemplate do."""
    parameters = [
        _without_none(
            {
                "ParameterKey": name,
                "DefaultValue": declaration.get("Default"),
                "ParameterType": declaration["Type"],
                "NoEcho": str(declaration.get("NoEcho", "false")).lower() == "true",
                "Description": declaration.get("Description"),
                "ParameterConstraints": {"AllowedValues": list(map(str, declaration.get("AllowedValues", [])))},
            }
        )
        for name, declaration in item.section("Parameters").items()
    ]
    return _without_none(
        {
            "Parameters": parameters,
            "Description": item.document.get("Description"),
            "Capabilities": sorted(item.capabilities)[-1:],
            "ResourceTypes": sorted({entry.type_name for entry in item.resources.values()}),
            "Version": item.document.get("AWSTemplateFormatVersion"),
            "Metadata": json.dumps(item.section("Metadata")) if item.section("Metadata") else None,
        }
    )


def change_set_summary(item: Stack, described: ChangeSet) -> dict[str, Any]:
    """Return a change set as ListChangeSets does."""
    return _without_none(
        {
            "StackId": item.stack_id,
            "StackName": item.name,
            "ChangeSetId": described.change_set_id,
            "ChangeSetName": described.name,
            "ExecutionStatus": described.execution_status,
            "Status": described.status,
            "StatusReason": described.failure,
            "CreationTime": described.created_at,
            "Description": described.request.get("Description"),
        }
    )


def change_set(item: Stack, described: ChangeSet, *, with_values: bool) -> dict[str, Any]:
    """Return a change set as DescribeChangeSet does."""
    return change_set_summary(item, described) | {
        "Parameters": _parameters(described.desired),
        "Tags": described.request.get("Tags", []),
        "Capabilities": described.request.get("Capabilities", []),
        "Changes": [describe_change(change, with_values=with_values) for change in described.changes],
    }
