"""ONNX models through onnxruntime: one two-dimensional numeric input, any outputs with one entry a row.

A model with one output answers ``{"score": ...}`` a row, one with several each by its own name, such as a classifier's
``label`` and ``probabilities``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from serving.artifact import ArtifactError, Floats
from serving.errors import RequestError

_TYPES: Final = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


class OnnxPredictor:
    """Predictions of an ONNX graph.

    Parameters
    ----------
    path : Path
        The .onnx file.

    Raises
    ------
    ArtifactError
        onnxruntime is missing or cannot load the file, or the graph's input is no table of numbers of a fixed width.
    """

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime  # noqa: PLC0415 - optional, and a third of a second
        except ImportError as error:
            raise ArtifactError(f"{path.name} needs onnxruntime, which is not installed: {error}") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1 if (os.cpu_count() or 1) == 1 else 0  # 0: one a core
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no base of their own
            raise ArtifactError(f"onnxruntime cannot load {path.name}: {error}") from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _TYPES or len(inputs[0].shape) != 2:
            found = ", ".join(f"{each.name}: {each.type} {each.shape}" for each in inputs)
            raise ArtifactError(f"{path.name} takes {found}; one input is wanted, a table of numbers [rows, columns]")
        (given,) = inputs
        if not isinstance(given.shape[1], int):
            raise ArtifactError(f"{path.name} does not say how many columns {given.name} has: export it with a number")
        self.n_features: int = given.shape[1]
        self._input, self._type = given.name, _TYPES[given.type]
        self._rows: int | None = given.shape[0] if isinstance(given.shape[0], int) else None
        self._outputs = [output.name for output in self._session.get_outputs()]

    def predict(self, rows: Floats) -> list[dict[str, Any]]:
        """Return one prediction a row.

        Raises
        ------
        RequestError
            The model does not take this many rows.
        """
        if self._rows is not None and len(rows) != self._rows:
            raise RequestError(400, f"{len(rows)} rows, this model takes exactly {self._rows} at a time")
        made = self._session.run(None, {self._input: rows.astype(self._type)})
        columns = [_by_row(output, len(rows)) for output in made]
        if len(columns) == 1:
            return [{"score": value} for value in columns[0]]
        return [dict(zip(self._outputs, values, strict=True)) for values in zip(*columns, strict=True)]


def _by_row(output: Any, n_rows: int) -> list[Any]:
    """Return an output's entry for every row, ready for JSON: numbers, lists, or a classifier's dicts."""
    if isinstance(output, list):  # ZipMap: a dict a row
        return [{str(label): float(value) for label, value in row.items()} for row in output]
    array = np.asarray(output)
    if array.shape[:1] != (n_rows,):
        raise RequestError(400, f"the model answers {array.shape} to {n_rows} rows; one entry a row is wanted")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    values: list[Any] = array.tolist()
    return values
