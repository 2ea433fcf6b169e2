"""What the containers do where a script does not say: the hooks of scikit-learn and XGBoost.

scikit-learn's container has no default model_fn. XGBoost's serves any one file that XGBoost can load or unpickle.

References
----------
aws/sagemaker-scikit-learn-container, handler_service.py
aws/sagemaker-xgboost-container, algorithm_mode/serve_utils.py
"""

from __future__ import annotations

import importlib
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.hosting.encodings import CSV, JSON, LIBSVM, EncodingError, decode, encode
from sandbox.hosting.script import Hooks, ScriptError


def _no_model_fn(_: str) -> Any:
    raise ScriptError("scikit-learn's container has no default model_fn: the archive needs code/inference.py with one")


def _predict(data: Any, model: Any) -> Any:
    return model.predict(data)


def _load_booster(model_directory: str) -> Any:
    xgboost = importlib.import_module("xgboost")
    files = [path for path in Path(model_directory).iterdir() if path.is_file() and not path.name.startswith(".")]
    if len(files) != 1:
        raise ScriptError(f"one model file is wanted, there are {', '.join(path.name for path in files) or 'none'}")
    try:
        loaded = pickle.loads(files[0].read_bytes())  # noqa: S301 - what XGBoost's container does with the user's model
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError, AttributeError):
        booster = xgboost.Booster()
        booster.load_model(files[0])
        return booster
    return loaded.get_booster() if isinstance(loaded, xgboost.XGBModel) else loaded


def _read_matrix(body: bytes, content_type: str) -> Any:
    xgboost = importlib.import_module("xgboost")
    if content_type.partition(";")[0].strip().lower() in {LIBSVM, "text/x-libsvm"}:
        return xgboost.DMatrix(_libsvm(body))
    return xgboost.DMatrix(decode(body, content_type))


def _libsvm(body: bytes) -> Any:
    rows: list[dict[int, float]] = []
    try:
        for line in body.decode().splitlines():
            pairs = (field.split(":") for field in line.split() if ":" in field)
            rows.append({int(column): float(value) for column, value in pairs})
    except ValueError as error:
        raise EncodingError(400, f"row {len(rows) + 1} is no libsvm: {error}") from error
    matrix = np.full((len(rows), 1 + max((column for row in rows for column in row), default=0)), np.nan)
    for number, row in enumerate(rows):
        matrix[number, list(row)] = list(row.values())
    return matrix


def _predict_booster(data: Any, booster: Any) -> Any:
    try:
        return booster.predict(data, validate_features=False)
    except ValueError as error:  # a row of the wrong width
        raise EncodingError(400, str(error).splitlines()[0]) from error


def _write_scores(prediction: Any, accept: str) -> tuple[bytes, str]:
    """Answer as algorithm mode does: scores as CSV in one line, or as predictions in JSON."""
    if accept.partition(";")[0].strip().lower() == JSON:
        return json.dumps({"predictions": [{"score": score} for score in prediction.tolist()]}).encode(), JSON
    if accept.partition(";")[0].strip().lower() == CSV and prediction.ndim == 1:
        return ",".join(map(str, prediction.tolist())).encode(), CSV
    return encode(prediction, accept)


DEFAULTS: Mapping[str, Hooks] = {
    "scikit-learn": Hooks(_no_model_fn, decode, _predict, encode),
    "xgboost": Hooks(_load_booster, _read_matrix, _predict_booster, _write_scores),
}
