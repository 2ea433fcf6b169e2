"""Calls of AWS APIs with CloudFormation's properties.

A template spells members in CloudFormation's case and may hold ``"60"`` for 60, ``"true"`` for true and an object where
the API wants JSON text. The service model that boto3 ships says what the API wants, so the mapping needs no table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.model import Shape


def call(client: Any, operation: str, arguments: Mapping[str, Any]) -> Any:
    """Call `operation` (boto3's name) with `arguments` renamed and typed as its input shape says.

    Raises
    ------
    ValueError
        An argument that the operation does not have.
    """
    name = client.meta.method_to_api_mapping[operation]
    shape = client.meta.service_model.operation_model(name).input_shape
    return getattr(client, operation)(**conform(arguments, shape, ""))


def conform(value: Any, shape: Shape, where: str) -> Any:
    """Return `value` in the spelling and the types of `shape`."""
    match shape.type_name:
        case "structure":
            return _conform_structure(value, shape, where)
        case "list":
            if isinstance(value, Mapping):  # tags: an object in the template, a list of pairs in the API
                value = [{"Key": key, "Value": item} for key, item in value.items()]
            items = value if isinstance(value, list) else [value]
            return [conform(item, shape.member, where) for item in items]
        case "map":
            if isinstance(value, list):  # tags the other way round
                value = {item["Key"]: item["Value"] for item in value}
            return {key: conform(item, shape.value, f"{where}/{key}") for key, item in value.items()}
        case _:
            return _conform_scalar(value, shape.type_name, where)


def _conform_structure(value: Any, shape: Shape, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"Value of property {where or '/'} must be an object, got {value!r}")  # noqa: TRY004
    if getattr(shape, "is_document_type", False):
        return dict(value)
    members = {name.lower(): name for name in shape.members}
    unknown = sorted(key for key in value if key.lower() not in members)
    if unknown:
        raise ValueError(f"Encountered unsupported property {', '.join(f'{where}/{key}' for key in unknown)}")
    return {
        members[key.lower()]: conform(item, shape.members[members[key.lower()]], f"{where}/{key}")
        for key, item in value.items()
    }


def _conform_scalar(value: Any, type_name: str, where: str) -> Any:
    try:
        match type_name:
            case "integer" | "long":
                return int(value)
            case "float" | "double":
                return float(value)
            case "boolean":
                return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
            case "blob":
                return value.encode() if isinstance(value, str) else value
            case "string":
                return _text(value)
            case _:
                return value
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"Value of property {where} must be of type {type_name}, got {value!r}") from error


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, (Mapping, list)) else str(value)
