"""The API as OpenAPI, for clients and tests: ``python -m stacks.openapi`` writes docs/openapi.json; a test holds it.

Paths, media types and statuses are those of `stacks/constructs/inference_api.py`; records follow the dataset's schema.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stacks.constructs.inference_api import CONTENT_TYPES, DEFAULT_STATUS, STAGE, STATUSES
from stacks.constructs.prediction_request import RULE
from training.schema import FEATURES, FLOAT32_MAX, LABELS

FILE = Path(__file__).parents[1] / "docs" / "openapi.json"
MEANINGS = {
    "200": "Predictions.",
    "400": "The request is not what the endpoint or the schema takes; the message says why.",
    "401": "No token, or one that is not valid (Cognito).",
    "403": "The caller is not known, or may not call.",
    "413": "More than 6 MB reach the endpoint.",
    "415": "A content type that is not taken.",
    "424": "The model refused the request or failed; the message is the model's.",
    "429": "Too many requests; try again later.",
    "500": "A fault that is not the caller's.",
    "502": "The endpoint could not be reached, or gave no answer of a Linear Learner classifier.",
    "503": "The endpoint has no room, or is asleep; try again later.",
    "504": "No answer in time.",
}
OF_THE_GATEWAY = ("401", "403", "429", "500", "504")  # whatever stands behind it
OF_PREDICTIONS = ("200", "400", "413", "415", "424", "502", "503")


def render() -> str:
    """Return the document as JSON."""
    return json.dumps(document(), indent=2) + "\n"


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "SageScale",
            "version": STAGE,
            "description": "A model on Amazon SageMaker behind a REST API.",
        },
        "servers": [{"url": f"/{STAGE}"}],
        "paths": {
            "/invocations": {"post": _invocations()},
            "/predictions": {"post": _predictions()},
        },
        "components": {"schemas": {"Record": _record(), "Prediction": _prediction(), "Refusal": _refusal()}},
    }


def _invocations() -> dict[str, Any]:
    return {
        "operationId": "invoke",
        "summary": "Rows as the model takes them, straight to the endpoint.",
        "requestBody": {
            "required": True,
            "content": {
                media: {"schema": {"type": "string"} if media != "application/json" else {}} for media in CONTENT_TYPES
            },
        },
        "responses": _responses({*STATUSES, DEFAULT_STATUS, *OF_THE_GATEWAY}, answer={}),
    }


def _predictions() -> dict[str, Any]:
    record = {"$ref": "#/components/schemas/Record"}
    batch = {
        "type": "object",
        "required": ["records"],
        "additionalProperties": False,
        "properties": {"records": {"type": "array", "minItems": 1, "items": record}},
    }
    predictions = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Prediction"}}
    answer = {"type": "object", "required": ["predictions"], "properties": {"predictions": predictions}}
    return {
        "operationId": "predict",
        "summary": "Records in, labels out.",
        "description": f"In short: {RULE}.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"oneOf": [record, batch]}}}},
        "responses": _responses({*OF_PREDICTIONS, *OF_THE_GATEWAY}, answer=answer),
    }


def _responses(statuses: set[str], *, answer: dict[str, Any]) -> dict[str, Any]:
    refusal = {"$ref": "#/components/schemas/Refusal"}
    return {
        status: {
            "description": MEANINGS[status],
            "content": {"application/json": {"schema": answer if status == "200" else refusal}},
        }
        for status in sorted(statuses)
    }


def _record() -> dict[str, Any]:
    number = {"type": "number", "minimum": -FLOAT32_MAX, "maximum": FLOAT32_MAX}
    return {
        "type": "object",
        "required": [feature.name for feature in FEATURES],
        "additionalProperties": False,
        "properties": {feature.name: {"type": "string"} if feature.vocabulary else number for feature in FEATURES},
    }


def _prediction() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["label", "score", "predicted_label"],
        "properties": {
            "label": {"type": "string", "enum": list(LABELS)},
            "score": {"type": "number", "minimum": 0, "maximum": 1},
            "predicted_label": {"type": "integer", "enum": list(range(len(LABELS)))},
        },
    }


def _refusal() -> dict[str, Any]:
    problem = {
        "type": "object",
        "properties": {"index": {"type": "integer"}, "field": {"type": "string"}, "reason": {"type": "string"}},
    }
    return {
        "type": "object",
        "description": "The gateway and the function write `message`, the endpoint `Message`.",
        "properties": {
            "message": {"type": "string"},
            "Message": {"type": "string"},
            "errors": {"type": "array", "items": problem},
        },
    }


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
