"""What the gateway lets through to `POST /predictions`: the shape of a request.

The gateway checks the shape only. Names and types of a record's fields are checked by the function with the schema of
the training data, because it can say which record and which field is wrong; the gateway's messages do not.
"""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import aws_apigateway as apigateway

from training.schema import FEATURES

RULE = f'the body must be one record of {len(FEATURES)} fields, or {{"records": [one record or more]}}'
SHAPE: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "properties": {"records": {"type": "array", "minItems": 1, "items": {"type": "object", "minProperties": 1}}},
}
_TYPES = {"object": apigateway.JsonSchemaType.OBJECT, "array": apigateway.JsonSchemaType.ARRAY}


def validate_predictions(api: apigateway.RestApi) -> dict[str, Any]:
    """Add model and validator to `api`, and what it answers to other bodies; return the method's options."""
    model = api.add_model("PredictionRequest", content_type="application/json", schema=_json_schema(SHAPE))
    validator = api.add_request_validator(
        "RequestValidator", validate_request_body=True, validate_request_parameters=True
    )
    api.add_gateway_response(
        "BadRequestBody",
        type=apigateway.ResponseType.BAD_REQUEST_BODY,
        templates={"application/json": json.dumps({"message": RULE})},
    )
    return {"request_models": {"application/json": model}, "request_validator": validator}


def _json_schema(shape: dict[str, Any]) -> apigateway.JsonSchema:
    properties = {name: _json_schema(part) for name, part in shape.get("properties", {}).items()}
    return apigateway.JsonSchema(
        type=_TYPES[shape["type"]],
        min_properties=shape.get("minProperties"),
        min_items=shape.get("minItems"),
        properties=properties or None,
        items=_json_schema(shape["items"]) if "items" in shape else None,
    )
