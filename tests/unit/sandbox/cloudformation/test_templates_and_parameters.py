"""What a template may say, where it may come from, and which parameters it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.cloudformation.errors import ValidationError
from sandbox.cloudformation.graph import dependency_graph, in_order
from sandbox.cloudformation.parameters import resolve_parameters
from sandbox.cloudformation.planning import check_template
from sandbox.cloudformation.template import parse
from sandbox.cloudformation.template_source import split_object_url

METADATA = {"Type": "AWS::CDK::Metadata"}


def test_yaml_short_forms_equal_the_json_they_stand_for() -> None:
    template = parse(
        """
        AWSTemplateFormatVersion: 2010-09-09
        Resources:
          A: {Type: "AWS::CDK::Metadata"}
          B:
            Type: AWS::CDK::Metadata
            DependsOn: A
            Properties:
              Ref: !Ref A
              Arn: !GetAtt A.Outputs.Arn
              Text: !Sub ["${x}", {x: !Ref A}]
              List: !Split [",", !Join [",", [a, b]]]
              Date: 2026-11-22
        """
    )
    assert template.document["AWSTemplateFormatVersion"] == "2010-09-09"
    assert template.resources["B"].depends_on == ("A",)
    assert template.resources["B"].properties == {
        "Ref": {"Ref": "A"},
        "Arn": {"Fn::GetAtt": ["A", "Outputs.Arn"]},
        "Text": {"Fn::Sub": ["${x}", {"x": {"Ref": "A"}}]},
        "List": {"Fn::Split": [",", {"Fn::Join": [",", ["a", "b"]]}]},
        "Date": "2026-11-22",
    }


def test_problems_of_form_are_reported_together() -> None:
    body = {
        "Transform": "AWS::LanguageExtensions",
        "Resources": {
            "no-dash": METADATA,
            "Untyped": {"Properties": {}},
            "Held": {**METADATA, "CreationPolicy": {}},
            "Kept": {**METADATA, "DeletionPolicy": "Snapshot"},
        },
    }
    with pytest.raises(ValidationError) as caught:
        parse(json.dumps(body))
    for part in ("Transform", "no-dash is non alphanumeric", "/Untyped", "CreationPolicy", "Snapshot"):
        assert part in caught.value.message


@pytest.mark.parametrize("body", ["{", "[1]", "a: [", "{}", '{"Resources": {}}'])
def test_text_that_is_no_template_is_refused(body: str) -> None:
    with pytest.raises(ValidationError, match="Template format error"):
        parse(body)


def test_undefined_names_are_refused() -> None:
    body = {"Resources": {"A": {**METADATA, "Properties": {"X": {"Fn::Sub": "${Nobody.Arn} ${AWS::Region}"}}}}}
    with pytest.raises(ValidationError, match=r"Unresolved resource dependencies \[Nobody\]"):
        check_template(parse(json.dumps(body)))


def test_circle_is_refused_by_name() -> None:
    body = {
        "Resources": {
            "A": {**METADATA, "Properties": {"X": {"Ref": "B"}}},
            "B": {**METADATA, "DependsOn": "A"},
            "C": METADATA,
        }
    }
    with pytest.raises(ValidationError, match=r"Circular dependency between resources: \[A, B\]"):
        check_template(parse(json.dumps(body)))


def test_order_is_the_same_every_time() -> None:
    body = {"Resources": dict.fromkeys("DCBA", METADATA) | {"E": {**METADATA, "DependsOn": ["B", "D"]}}}
    graph = dependency_graph(parse(json.dumps(body)))
    assert in_order(graph) == in_order(dict(reversed(graph.items())))
    assert in_order(graph)[-1] == "E"


@pytest.mark.parametrize(
    ("resources", "needed"),
    [
        ({"A": METADATA}, set()),
        ({"A": {"Type": "AWS::IAM::Role"}}, {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}),
        ({"A": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "x"}}}, {"CAPABILITY_NAMED_IAM"}),
    ],
)
def test_capabilities_follow_the_iam_resources(resources: dict[str, Any], needed: set[str]) -> None:
    assert parse(json.dumps({"Resources": resources})).capabilities == needed


@pytest.mark.parametrize(
    "url",
    [
        "https://bucket.s3.us-east-1.amazonaws.com/folder/key.json",
        "https://bucket.s3.amazonaws.com/folder/key.json",
        "https://s3.us-east-1.amazonaws.com/bucket/folder/key.json",
        "https://s3.amazonaws.com/bucket/folder/key.json",
        "http://127.0.0.1:4566/bucket/folder/key.json",
        "s3://bucket/folder/key.json",
    ],
)
def test_template_url_names_bucket_and_key(url: str) -> None:
    assert split_object_url(url) == ("bucket", "folder/key.json")


def test_template_url_elsewhere_is_refused() -> None:
    with pytest.raises(ValidationError, match="must reference a valid S3 object"):
        split_object_url("https://example.com/bucket/key")


def parameters(declared: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    template = parse(json.dumps({"Parameters": declared, "Resources": {"A": METADATA}}))
    entries = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
    resolved = resolve_parameters(template, entries, {}, lambda name: f"value of {name}")
    return {name: parameter.value for name, parameter in resolved.items()}


def test_parameters_take_their_types() -> None:
    declared = {
        "Text": {"Type": "String", "Default": "x"},
        "List": {"Type": "CommaDelimitedList"},
        "Numbers": {"Type": "List<Number>"},
        "Stored": {"Type": "AWS::SSM::Parameter::Value<String>"},
        "StoredList": {"Type": "AWS::SSM::Parameter::Value<List<String>>"},
        "Name": {"Type": "AWS::SSM::Parameter::Name"},
    }
    given = {"List": "a, b", "Numbers": "1,2", "Stored": "/s", "StoredList": "/l", "Name": "/n"}
    assert parameters(declared, given) == {
        "Text": "x",
        "List": ["a", "b"],
        "Numbers": ["1", "2"],
        "Stored": "value of /s",
        "StoredList": ["value of /l"],
        "Name": "/n",
    }


def test_parameter_problems_are_reported_together() -> None:
    declared = {
        "Missing": {"Type": "String"},
        "Choice": {"Type": "String", "AllowedValues": ["a", "b"]},
        "Shape": {"Type": "String", "AllowedPattern": "[a-z]+", "ConstraintDescription": "lower case"},
        "Count": {"Type": "Number", "MinValue": 1, "MaxValue": 3},
        "Word": {"Type": "Number"},
        "Long": {"Type": "String", "MaxLength": 2},
    }
    given = {"Choice": "c", "Shape": "A", "Count": "5", "Word": "x", "Long": "abc", "Unknown": "x"}
    with pytest.raises(ValidationError) as caught:
        parameters(declared, given)
    for part in (
        "Parameters: [Unknown] do not exist in the template",
        "Parameters: [Missing] must have values",
        "'Choice' must be one of",
        "'Shape' must match pattern [a-z]+: lower case",
        "'Count' is 5, maximum 3",
        "'Word' must be a number",
        "'Long' is 3 characters, maximum 2",
    ):
        assert part in caught.value.message


def test_rule_of_the_bootstrap_version_is_checked(driver: Any, thing: Any, parameters_in_ssm: dict[str, str]) -> None:
    rules = {
        "CheckBootstrapVersion": {
            "Assertions": [
                {
                    "Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2"], {"Ref": "Version"}]}]},
                    "AssertDescription": "CDK bootstrap stack version 3 required.",
                }
            ]
        }
    }
    declared = {"Version": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/version"}}
    parameters_in_ssm["/version"] = "2"
    with pytest.raises(ValidationError, match="CDK bootstrap stack version 3 required"):
        driver.create({"A": thing()}, Rules=rules, TemplateParameters=declared)
    parameters_in_ssm["/version"] = "30"
    assert driver.create({"A": thing()}, Rules=rules, TemplateParameters=declared).status == "CREATE_COMPLETE"
