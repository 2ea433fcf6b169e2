"""docs/openapi.json says what the deployed API does."""

import json
from typing import Any

import fastjsonschema
import pytest

from cli.smoke import RECORD
from stacks.openapi import FILE, MEANINGS, document, render


@pytest.fixture
def methods(templates: dict[str, Any]) -> dict[str, dict[str, Any]]:
    resources = templates["kdd99-prod-serving"]["Resources"]
    paths = {
        name: r["Properties"]["PathPart"] for name, r in resources.items() if r["Type"] == "AWS::ApiGateway::Resource"
    }
    return {
        f"/{paths[r['Properties']['ResourceId']['Ref']]}": r["Properties"]
        for r in resources.values()
        if r["Type"] == "AWS::ApiGateway::Method"
    }


def test_committed_document_is_the_stacks_own() -> None:
    assert FILE.read_text() == render(), "run `python -m stacks.openapi`"


def test_paths_and_methods_are_those_of_the_template(methods: dict[str, dict[str, Any]]) -> None:
    paths = document()["paths"]
    assert {(path, next(iter(item))) for path, item in paths.items()} == {
        (path, method["HttpMethod"].lower()) for path, method in methods.items()
    }


def test_media_types_and_statuses_of_the_endpoint_are_those_of_the_template(methods: dict[str, dict[str, Any]]) -> None:
    operation, method = document()["paths"]["/invocations"]["post"], methods["/invocations"]
    assert set(operation["requestBody"]["content"]) == set(method["Integration"]["RequestTemplates"])
    assert {response["StatusCode"] for response in method["MethodResponses"]} <= set(operation["responses"])
    assert set(operation["responses"]) <= set(MEANINGS)


def schema_of_requests() -> dict[str, Any]:
    whole = document()
    schema = whole["paths"]["/predictions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return {**schema, "components": whole["components"]}


@pytest.mark.parametrize("body", [RECORD, {"records": [RECORD]}, {"records": [RECORD, RECORD]}])
def test_requests_that_the_function_takes_are_allowed(body: dict[str, Any]) -> None:
    fastjsonschema.compile(schema_of_requests())(json.loads(json.dumps(body)))


@pytest.mark.parametrize(
    "body", [{}, [], {"records": []}, {**RECORD, "extra": 1}, {**RECORD, "flag": 1}, {"records": [RECORD], "more": 1}]
)
def test_requests_that_the_function_refuses_are_not(body: Any) -> None:
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        fastjsonschema.compile(schema_of_requests())(body)
