"""application/json and application/jsonlines bodies to a matrix, in the shapes SageMaker's built-in algorithms take.

A JSON body is ``{"instances": [INSTANCE, ...]}``, a JSON Lines body one INSTANCE a line. An INSTANCE is dense,
``{"features": [1.5, 16.0]}`` or ``{"data": {"features": {"values": [1.5, 16.0]}}}``, or sparse,
``{"data": {"features": {"keys": [3, 17], "shape": [118], "values": [1.5, 16.0]}}}``. Other members are ignored.

As with CSV the plain path defines what is accepted, and a fast path gives the same matrix for dense instances. It
takes the rows out of what surrounds them: a client sends the same frame again and again, ``{"instances":
[{"features": [`` before the first row, ``]}, {"features": [`` between two, ``]}]}`` after the last. A frame is read as
the document that it is without its numbers, once; then it is remembered.

References
----------
https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-inference.html
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import numpy as np
import orjson

from serving.artifact import Floats
from serving.errors import InvalidRowsError, RequestError
from serving.number_rows import NumberRows

_LONGEST_FRAME_BYTES: Final = 1024
_WANTED = '{"instances": [{"features": [...]}, ...]}'


class JsonRows:
    """Reads JSON and JSON Lines bodies of rows with `n_features` features."""

    def __init__(self, n_features: int) -> None:
        self._n_features = n_features
        self._dense_rows = NumberRows(n_features)

    def read(self, body: bytes) -> Floats:
        """Return the rows of an application/json body, shape (n_rows, n_features).

        Raises
        ------
        InvalidRowsError
            Instances of another shape or length, or with values that are not finite numbers.
        RequestError
            Not JSON, or without instances.
        """
        rows = self.read_fast(body)
        return self.read_plain(body) if rows is None else rows

    def read_fast(self, body: bytes) -> Floats | None:
        """Return the rows of plainly dense instances, or None where only the plain path can tell."""
        first = body.find(b"[", body.find(b"[") + 1) + 1
        last = body.rfind(b"]", 0, max(body.rfind(b"]"), 0))
        if not 0 < first <= last:
            return None
        rows, end = body[first:last], body.find(b"]", first)
        separator = body[end : body.find(b"[", end) + 1] if end < last else b""
        if first + len(separator) + len(body) - last > _LONGEST_FRAME_BYTES:
            return None
        if not _surrounds_features(body[:first], separator, body[last:]):
            return None
        return self._dense_rows.read_separated(rows, separator) if separator else self._dense_rows.read_one(rows)

    def read_plain(self, body: bytes) -> Floats:
        """Return the rows, or raise what `read` raises."""
        document = _load(body, "the body")
        instances = document.get("instances") if isinstance(document, dict) else None
        if not isinstance(instances, list) or not instances:
            raise RequestError(400, f"the body holds no list of instances, wanted: {_WANTED}")
        return self._matrix(enumerate(instances, start=1), [])

    def read_lines(self, body: bytes) -> Floats:
        """Return the rows of an application/jsonlines body; raises what `read` raises."""
        text = body.rstrip(b"\r\n")
        if not text:
            raise RequestError(400, 'the body holds no rows: lines of {"features": [...]} are wanted')
        instances, problems = [], []
        for number, line in enumerate(text.split(b"\n"), start=1):
            try:
                instances.append((number, _load(line, "the line")))
            except RequestError as error:
                problems.append((number, str(error)))
        return self._matrix(instances, problems)

    def _matrix(self, instances: Iterable[tuple[int, Any]], problems: list[tuple[int, str]]) -> Floats:
        rows = []
        for number, instance in instances:
            try:
                rows.append(self._row(instance))
            except ValueError as error:
                problems.append((number, str(error)))
        if problems:
            raise InvalidRowsError(sorted(problems))
        return np.array(rows)

    def _row(self, instance: Any) -> Floats:
        if isinstance(instance, dict) and "features" in instance:
            return self._dense(instance["features"], "features")
        try:
            features = instance["data"]["features"]
            values = features["values"]
        except (TypeError, LookupError):
            raise ValueError("neither 'features' nor 'data.features.values' is there") from None
        if "keys" in features:
            return self._sparse(features["keys"], values, features.get("shape"))
        return self._dense(values, "data.features.values")

    def _dense(self, values: Any, name: str) -> Floats:
        numbers = _numbers(values, name)
        if len(numbers) != self._n_features:
            raise ValueError(f"{len(numbers)} values, the model takes {self._n_features}")
        return numbers

    def _sparse(self, keys: Any, values: Any, shape: Any) -> Floats:
        numbers = _numbers(values, "data.features.values")
        if shape is not None and shape != [self._n_features]:
            raise ValueError(f"shape is {shape}, the model takes [{self._n_features}]")
        if not isinstance(keys, list) or len(keys) != len(numbers):
            raise ValueError("'keys' and 'values' are not lists of one length")
        wrong = [key for key in keys if type(key) is not int or not 0 <= key < self._n_features]
        if wrong or len(set(keys)) != len(keys):
            raise ValueError(f"'keys' are not distinct integers from 0 to {self._n_features - 1}")
        row = np.zeros(self._n_features)
        row[keys] = numbers
        return row


@lru_cache(maxsize=256)
def _surrounds_features(before: bytes, between: bytes, after: bytes) -> bool:
    """Tell whether rows between these make a document of dense instances and nothing else."""
    try:
        document = orjson.loads(before + between + after)
    except orjson.JSONDecodeError:
        return False
    count = 2 if between else 1
    plain: Any = {"features": []}
    wrapped: Any = {"data": {"features": {"values": []}}}
    return document in ({"instances": [plain] * count}, {"instances": [wrapped] * count})


def _load(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"{what} is not JSON: {error}") from None


def _numbers(values: Any, name: str) -> Floats:
    if not isinstance(values, list):
        raise ValueError(f"{name!r} is not a list")  # noqa: TRY004 - one kind of error for all that a caller sends
    if not set(map(type, values)) <= {int, float} or not all(map(math.isfinite, values)):
        index = next(i for i, value in enumerate(values) if type(value) not in (int, float) or not math.isfinite(value))
        raise ValueError(f"value {index + 1} is {orjson.dumps(values[index]).decode():.40}, a finite number is wanted")
    return np.array(values, dtype=np.float64)
