"""Custom resources answer by the protocol, or fail their stack with the reason."""

from __future__ import annotations

import json

import pytest

from sandbox.cloudformation import provisioners  # noqa: F401 - registers every type
from tests.integration.sandbox.provisioners.plain_types import ASSUMABLE, arn
from tests.integration.sandbox.provisioners.stacks import Stacks

ANSWER = """
import json, urllib.request
def handler(event, context):
    keys = ("StackId", "RequestId", "LogicalResourceId")
    answer = {"Status": "SUCCESS", "PhysicalResourceId": "x", **{key: event[key] for key in keys}, "Data": DATA}
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data=body, method="PUT"))
"""


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("raises", "def handler(event, context): raise ValueError('no luck')", "no luck"),
        ("unimportable", "import nothing_of_that_name", "nothing_of_that_name"),
        (
            "silent",
            "def handler(event, context): pass",
            "did not receive a response from your Custom Resource within 1 s",
        ),
        ("verbose", ANSWER.replace("DATA", '{"Text": "x" * 5000}'), "Response object is too long"),
        ("mute", ANSWER.replace("DATA", "{}"), "Vendor response doesn't contain Text attribute"),
        ("fine", ANSWER.replace("DATA", '{"Text": event["ResourceProperties"]["Number"]}'), ""),
    ],
)
def test_custom_resource_follows_the_protocol(stacks: Stacks, name: str, code: str, reason: str) -> None:
    function = {"Code": {"ZipFile": code}, "Handler": "index.handler", "Role": arn("Role"), "Runtime": "python3.12"}
    custom = {"ServiceToken": arn("Function"), "ServiceTimeout": 1 if name == "silent" else 30, "Number": 3}
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": ASSUMABLE}},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Thing": {"Type": "Custom::Thing", "Properties": custom},
        "Uses": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": {"Fn::GetAtt": ["Thing", "Text"]}},
        },
    }
    status = stacks.create(name, json.dumps({"Resources": resources}))
    assert reason in stacks.reasons(name)
    # A function that cannot answer Create cannot answer Delete either.
    assert status == {"fine": "CREATE_COMPLETE", "mute": "ROLLBACK_COMPLETE"}.get(name, "ROLLBACK_FAILED")
