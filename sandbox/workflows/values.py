"""How values come and go in a state machine: paths, expressions and answers, where moto differs from Step Functions."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from botocore.response import StreamingBody
from jsonata import Jsonata
from jsonpath_ng.ext.parser import parse
from moto.stepfunctions.parser.asl.jsonata.jsonata import JSONataException
from moto.stepfunctions.parser.asl.utils import json_path

# A path that names exactly one place: no wildcard, slice, filter or descent.
REFERENCE_PATH = re.compile(r"\$(?:\.[\w-]+|\[\d+\]|\['[^']*'\]|\[\"[^\"]*\"\])*")

_parse: Callable[[str], Any] = lru_cache(maxsize=4096)(parse)
_moto_extract_json = json_path.extract_json


def extract_json(path: str, data: Any) -> Any:
    """Return what `path` names; moto answers a list for a reference path that passes an index, as ``$.a[0].b``."""
    if not REFERENCE_PATH.fullmatch(path):
        return _moto_extract_json(path, data)
    matches = _parse(path).find(data)
    if not matches:
        raise json_path.NoSuchJsonPathError(json_path=path, data=data)
    return matches[0].value


def evaluate_jsonata(expression: str) -> Any:
    """Return the value of a JSONata expression, for which moto has no evaluator."""
    try:
        return Jsonata(expression).evaluate(None)
    except Exception as error:  # the evaluator raises whatever a broken expression makes it stumble over
        raise JSONataException("UNKNOWN", str(error)) from error


def to_json_values(value: Any, *, epoch_milliseconds: bool = False) -> Any:
    """Return an answer of boto3 as Step Functions shows it: bodies read, times written.

    Parameters
    ----------
    value : object
        Any part of an answer.
    epoch_milliseconds : bool
        Times as the optimized integrations give them; otherwise ISO 8601, as the SDK integrations do.
    """
    if isinstance(value, dict):
        return {name: to_json_values(item, epoch_milliseconds=epoch_milliseconds) for name, item in value.items()}
    if isinstance(value, list):
        return [to_json_values(item, epoch_milliseconds=epoch_milliseconds) for item in value]
    if isinstance(value, datetime):
        iso = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return int(value.timestamp() * 1000) if epoch_milliseconds else iso
    if isinstance(value, StreamingBody):
        value = value.read()
    return value.decode() if isinstance(value, bytes) else value
