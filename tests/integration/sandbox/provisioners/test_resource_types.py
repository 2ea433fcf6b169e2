"""Every emulated type is created, changed in place or replaced as AWS documents, and deleted."""

from __future__ import annotations

import copy
import json
from typing import Any

from sandbox.cloudformation import provisioners  # noqa: F401 - registers every type
from sandbox.cloudformation.provisioner import registered
from tests.integration.sandbox.provisioners.plain_types import PLAIN
from tests.integration.sandbox.provisioners.rest_api_types import REST_API
from tests.integration.sandbox.provisioners.stacks import Stacks

TYPES = PLAIN | REST_API
DEPENDS = {"Deployment": "Method", "Package": "PackageGroup"}
# These have tests of their own, here or in the CLI's test, or take a layer's archive in S3.
ELSEWHERE = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudFormation::CustomResource",
    "AWS::Lambda::LayerVersion",
    "AWS::SageMaker::Endpoint",
    "AWS::SageMaker::EndpointConfig",
    "AWS::SageMaker::Model",
    "Custom::*",
}


def template(*, updated: bool) -> str:
    resources = {}
    for name, (type_name, properties, changes, _) in TYPES.items():
        wanted = copy.deepcopy(properties) | tags_of(f"AWS::{type_name}", "new" if updated else "old")
        wanted |= changes if updated else {}
        wanted = {key: value for key, value in wanted.items() if value is not None}
        resources[name] = {"Type": f"AWS::{type_name}", "Properties": wanted}
        if name in DEPENDS:
            resources[name]["DependsOn"] = DEPENDS[name]
    return json.dumps({"Resources": resources})


def tags_of(type_name: str, value: str) -> dict[str, Any]:
    """Return tags in the shape that the type's schema has, if it has any."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped] # takes a second to import

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_name).schema
    tags = schema["properties"].get("Tags")
    if tags is None or "/properties/Tags" in schema.get("createOnlyProperties", []):
        return {}
    return {"Tags": [{"Key": "a", "Value": value}] if tags.get("type") == "array" else {"a": value}}


def test_every_emulated_type_has_a_test() -> None:
    emulated = {name for name, entry in registered().items() if not entry.inert} - {"AWS::CDK::Metadata"}
    tested = {f"AWS::{type_name}" for type_name, *_ in TYPES.values()} | ELSEWHERE
    assert emulated - tested == set()


def test_types_are_created_changed_replaced_and_deleted(stacks: Stacks) -> None:
    assert stacks.create("types", template(updated=False)) == "CREATE_COMPLETE", stacks.reasons("types")
    before = stacks.physical_ids("types")
    assert before.keys() == TYPES.keys()
    assert stacks.update("types", template(updated=True)) == "UPDATE_COMPLETE", stacks.reasons("types")
    after = stacks.physical_ids("types")
    replaced = {name for name in before if before[name] != after[name]}
    assert replaced == {name for name, (*_, replaces) in TYPES.items() if replaces}
    assert stacks.reasons("types") == ""
    stack_id = stacks._client.describe_stacks(StackName="types")["Stacks"][0]["StackId"]
    assert stacks.delete("types") == "DELETE_COMPLETE", stacks.reasons(stack_id)
