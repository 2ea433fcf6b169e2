"""Intrinsic functions against the examples of the user guide."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.cloudformation.intrinsics import IntrinsicError, Resolver


class Resources:
    def ref(self, logical_id: str) -> str:
        return f"{logical_id}-id"

    def attribute(self, logical_id: str, name: str) -> Any:
        return {"Arn": f"arn:{logical_id}", "List": ["a", "b"], "Port": 80}[name]


def resolver(**more: Any) -> Resolver:
    def read(name: str) -> str:
        if name != "/known":
            raise LookupError(f"Unable to fetch parameters [{name}]")
        return "from-ssm"

    values: dict[str, Any] = {
        "pseudo_parameters": {"AWS::Region": "us-east-1", "AWS::Partition": "aws"},
        "parameters": {"Env": "prod", "Zones": ["a", "b"]},
        "mappings": {"Sizes": {"prod": {"type": "large"}}},
        "conditions": {},
        "resources": Resources(),
        "import_value": lambda name: f"imported-{name}",
        "read_parameter": read,
    }
    return Resolver(**{**values, **more})


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ({"Ref": "Env"}, "prod"),
        ({"Ref": "Zones"}, ["a", "b"]),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "Bucket"}, "Bucket-id"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "arn:Bucket"),
        ({"Fn::GetAtt": "Bucket.Arn"}, "arn:Bucket"),
        (
            {"Fn::Sub": "${Bucket}/${Bucket.Arn}/${AWS::Region}/${!Literal}"},
            "Bucket-id/arn:Bucket/us-east-1/${Literal}",
        ),
        ({"Fn::Sub": ["${A}-${Env}", {"A": {"Ref": "Bucket"}}]}, "Bucket-id-prod"),
        ({"Fn::Sub": "${Bucket.Port}"}, "80"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Env"}, 1, True]]}, "a-prod-1-true"),
        ({"Fn::Join": [",", {"Ref": "Zones"}]}, "a,b"),
        ({"Fn::Split": ["|", "a|b||c"]}, ["a", "b", "", "c"]),
        ({"Fn::Select": ["1", {"Fn::GetAtt": ["Bucket", "List"]}]}, "b"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Env"}, "type"]}, "large"),
        ({"Fn::Base64": "AWS CloudFormation"}, "QVdTIENsb3VkRm9ybWF0aW9u"),
        ({"Fn::Cidr": ["192.168.0.0/24", 6, 5]}, [f"192.168.0.{32 * n}/27" for n in range(6)]),
        ({"Fn::GetAZs": ""}, ["us-east-1a", "us-east-1b", "us-east-1c"]),
        ({"Fn::ImportValue": {"Fn::Sub": "${Env}-name"}}, "imported-prod-name"),
        ("{{resolve:ssm:/known}}/x", "from-ssm/x"),
        ({"A": {"Ref": "AWS::NoValue"}, "B": [1, {"Ref": "AWS::NoValue"}]}, {"B": [1]}),
        ({"Statement": [{"Condition": {"Bool": {"x": "y"}}}]}, {"Statement": [{"Condition": {"Bool": {"x": "y"}}}]}),
    ],
)
def test_value_resolves(value: Any, resolved: Any) -> None:
    assert resolver().resolve(value) == resolved


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"Fn::Equals": [{"Ref": "Env"}, "prod"]}, True),
        ({"Fn::Not": [{"Condition": "True"}]}, False),
        ({"Fn::And": [{"Condition": "True"}, {"Fn::Equals": ["a", "b"]}]}, False),
        ({"Fn::Or": [{"Condition": "True"}, {"Fn::Equals": ["a", "b"]}]}, True),
    ],
)
def test_condition_decides(condition: Any, holds: bool) -> None:
    conditions = {"True": {"Fn::Equals": ["a", "a"]}, "Asked": condition}
    resolving = resolver(conditions=conditions)
    assert resolving.condition_holds("Asked") is holds
    assert resolving.resolve({"Fn::If": ["Asked", "yes", "no"]}) == ("yes" if holds else "no")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Fn::Transform": {}}, "does not know Fn::Transform"),
        ({"Fn::Length": []}, "does not know Fn::Length"),
        ({"Fn::Select": [2, ["a", "b"]]}, "nonexistent value at index 2"),
        ({"Fn::FindInMap": ["Sizes", "dev", "type"]}, "Unable to get mapping for Sizes::dev::type"),
        ({"Fn::Join": [",", [{"Ref": "Zones"}]]}, "must be a string, got"),
        ({"Fn::If": ["Missing", 1, 2]}, "condition Missing is not defined"),
        ("{{resolve:ssm:/unknown}}", r"Unable to fetch parameters \[/unknown\]"),
        ("{{resolve:secretsmanager:x}}", "resolves {{resolve:ssm:...}} only"),
    ],
)
def test_unresolvable_value_is_refused_with_its_reason(value: Any, message: str) -> None:
    with pytest.raises(IntrinsicError, match=message):
        resolver().resolve(value)
