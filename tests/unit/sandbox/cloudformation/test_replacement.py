"""Which changes replace a resource, held against CloudFormation's own resource schemas (cfn-lint ships them)."""

from __future__ import annotations

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

from sandbox.cloudformation import provisioners  # noqa: F401 - registers every type
from sandbox.cloudformation.provisioner import registered

# Another event bus replaces a rule, the schema says so conditionally.
CONDITIONAL = {"AWS::Events::Rule": {"EventBusName"}, "AWS::Lambda::Version": {"FunctionScalingConfig"}}
WITHOUT_SCHEMA = {"AWS::CDK::Metadata", "AWS::CloudFormation::CustomResource", "Custom::*"}


@pytest.mark.parametrize("type_name", sorted(registered().keys() - WITHOUT_SCHEMA))
def test_type_replaces_where_its_schema_says_create_only(type_name: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_name).schema
    create_only = {path.split("/")[2] for path in schema.get("createOnlyProperties", [])}
    read_only = {path.split("/")[2] for path in schema.get("readOnlyProperties", [])}
    provisioner = registered()[type_name]
    replacing = {name for name in schema["properties"] if provisioner.needs_replacement(name)} - read_only
    # Not emulated at all: BucketNamePrefix and BucketNamespace are refused as unknown properties.
    assert replacing - CONDITIONAL.get(type_name, set()) == create_only - read_only - {
        "BucketNamePrefix",
        "BucketNamespace",
    }
