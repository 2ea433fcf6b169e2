"""Models behind one face: rows in, predictions out. A model of another kind is another class with these two members."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from serving.artifact import ArtifactError, Floats, LinearModel, read_artifact
from serving.errors import InvalidRowsError
from serving.onnx_model import OnnxPredictor


class Predictor(Protocol):
    """A loaded model."""

    @property
    def n_features(self) -> int:
        """Columns a row must have."""

    def predict(self, rows: Floats) -> list[dict[str, Any]]:
        """Return one prediction a row, ready for JSON, in the order of `rows` (shape (n_rows, n_features))."""


class LinearPredictor:
    """Linear Learner's predictions: ``score`` and, but for a regressor, ``predicted_label``.

    References
    ----------
    https://docs.aws.amazon.com/sagemaker/latest/dg/LL-in-formats.html
    """

    def __init__(self, model: LinearModel) -> None:
        self.n_features = model.n_features
        self._model = model
        self._one_output = model.weights.shape[1] == 1
        self._weights = model.weights64[:, 0].copy() if self._one_output else model.weights64
        self._bias = float(model.bias64[0])
        self._logistic = model.output == "LogisticRegressionOutput"
        self._labelled = model.predictor_type != "regressor"

    def predict(self, rows: Floats) -> list[dict[str, Any]]:
        """Return one prediction a row.

        Raises
        ------
        InvalidRowsError
            Values so large that the sum over a row is no number any more.
        """
        sums = rows.dot(self._weights)
        if self._one_output and len(sums) == 1:
            return [self._predict_one(sums.item() + self._bias)]
        return self._predict_many(sums.reshape(len(rows), -1) + self._model.bias64)

    def _predict_one(self, total: float) -> dict[str, Any]:
        if not math.isfinite(total):
            raise InvalidRowsError([(1, _OVERFLOW)])
        score = _logistic(total) if self._logistic else total
        if self._labelled:
            return {"score": score, "predicted_label": 1 if score >= self._model.threshold else 0}
        return {"score": score}

    def _predict_many(self, sums: Floats) -> list[dict[str, Any]]:
        finite = np.isfinite(sums).all(axis=1)
        if not finite.all():
            raise InvalidRowsError([(int(index) + 1, _OVERFLOW) for index in np.flatnonzero(~finite)])
        scores = self._model.activate(sums)
        if not self._labelled:
            return [{"score": score} for score in scores.tolist()]
        labels = self._model.labels(scores).tolist()
        return [
            {"score": score, "predicted_label": label} for score, label in zip(scores.tolist(), labels, strict=True)
        ]


_OVERFLOW = "values too large, their weighted sum is not a finite number"


def _logistic(total: float) -> float:
    if total >= 0:
        return 1.0 / (1.0 + math.exp(-total))
    power = math.exp(total)
    return power / (1.0 + power)


def load_predictor(directory: Path) -> Predictor:
    """Load the model in `directory`; raises ArtifactError where there is none that can be served."""
    graphs = sorted(directory.glob("*.onnx"))
    if len(graphs) > 1:
        raise ArtifactError(f"{len(graphs)} .onnx files in {directory}: one is wanted")
    return OnnxPredictor(graphs[0]) if graphs else LinearPredictor(read_artifact(directory))
