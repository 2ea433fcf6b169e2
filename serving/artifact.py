"""The artifact of SageMaker's built-in Linear Learner: ``model.tar.gz``, read and written without MXNet.

    model.tar.gz
      model_algo-1                 a zip, stored
        manifest.json              names the kinds of the other members
        additional-params.json     predictor_type, loss_type, threshold, metrics_params
        mx-mod-symbol.json         the graph: data . fc0_weight + fc0_bias -> an output operator
        mx-mod-0000.params         the arrays, in MXNet's NDArray list format, little-endian

The output operator decides what a score is: the logistic of ``x . w + b``, the softmax of it, or the sum itself. Only
the dense float32 arrays that Linear Learner writes are understood; anything else is refused by name.

This file needs nothing but NumPy and the standard library: the training jobs ship it as it is.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

PredictorType = Literal["binary_classifier", "multiclass_classifier", "regressor"]
Floats = npt.NDArray[np.float64]

MEMBER: Final = "model_algo-1"
ARCHIVE: Final = "model.tar.gz"

_PARAMS, _SYMBOL, _MANIFEST, _ADDITIONAL = (
    "mx-mod-0000.params",
    "mx-mod-symbol.json",
    "manifest.json",
    "additional-params.json",
)
_MANIFEST_CONTENT = {_ADDITIONAL: "json", "mx-mod": "mxnet_module", "version": 1}
_OUTPUT_LINEAR, _OUTPUT_LOGISTIC, _OUTPUT_SOFTMAX = (
    "LinearRegressionOutput",
    "LogisticRegressionOutput",
    "SoftmaxOutput",
)
_OUTPUTS = (_OUTPUT_LINEAR, _OUTPUT_LOGISTIC, _OUTPUT_SOFTMAX)
# MXNet's src/ndarray/ndarray.cc: kMXAPINDArrayListMagic and NDARRAY_V2_MAGIC.
_LIST_MAGIC, _ARRAY_MAGIC = 0x112, 0xF993FAC9
_DENSE, _CPU, _FLOAT32 = 0, 1, 0
# What the libraries raise on cut or foreign files; TypeError and LookupError: JSON of another shape.
_BROKEN_FILE = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, struct.error)
_BROKEN = (*_BROKEN_FILE, ValueError, LookupError, TypeError)
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: equal models give equal bytes


class ArtifactError(ValueError):
    """A model artifact that is missing, broken or of a kind this server does not understand."""


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A trained linear model.

    Parameters
    ----------
    predictor_type : str
        What a prediction looks like: a score and a label, a list of scores and a label, or a score.
    weights : ndarray of shape (n_features, n_outputs), float32
        One column an output; `n_outputs` is 1 but for a multiclass classifier, where it is the number of classes.
    bias : ndarray of shape (n_outputs,), float32
    loss_type : str
        Linear Learner's name for the loss of the training: ``logistic``, ``softmax_loss``, ``squared_loss``, ...
    threshold : float
        A binary classifier's label is 1 where the score reaches it.
    output : str
        The graph's last operator; the usual one of the predictor type by default.
    metrics_params : Mapping
        Passed through: Linear Learner keeps what its own evaluation needs here.
    """

    predictor_type: PredictorType
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    loss_type: str
    threshold: float = 0.5
    output: str = ""
    metrics_params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.output:
            object.__setattr__(self, "output", _usual_output(self.predictor_type, self.loss_type))
        problems = list(_model_problems(self))
        if problems:
            raise ArtifactError("not a linear model: " + "; ".join(problems))

    @property
    def n_features(self) -> int:
        """Columns a row must have."""
        return int(self.weights.shape[0])

    @property
    def num_classes(self) -> int:
        """Classes told apart; 1 for a regressor."""
        return {"regressor": 1, "binary_classifier": 2}.get(self.predictor_type, int(self.weights.shape[1]))

    @cached_property
    def weights64(self) -> Floats:
        """The weights in double precision, shape (n_features, n_outputs), contiguous."""
        return np.ascontiguousarray(self.weights, dtype=np.float64)

    @cached_property
    def bias64(self) -> Floats:
        """The bias in double precision, shape (n_outputs,)."""
        return self.bias.astype(np.float64)

    def scores(self, rows: npt.ArrayLike) -> Floats:
        """Score `rows`.

        Parameters
        ----------
        rows : array_like of shape (n_rows, n_features)

        Returns
        -------
        ndarray
            Shape (n_rows,), or (n_rows, n_classes) for a multiclass classifier; double precision throughout.
        """
        values = np.asarray(rows, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != self.n_features:
            raise ValueError(f"rows of shape {values.shape} given, the model takes (n_rows, {self.n_features})")
        return self.activate(values @ self.weights64 + self.bias64)

    def activate(self, sums: Floats) -> Floats:
        """Turn sums ``x . w + b`` of shape (n_rows, n_outputs) into scores as `scores` returns them."""
        if self.output == _OUTPUT_SOFTMAX:
            powers = np.exp(sums - sums.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))
        column = sums[:, 0]
        if self.output == _OUTPUT_LOGISTIC:
            power = np.exp(-np.abs(column))  # never overflows
            column = np.where(column >= 0, 1.0, power) / (1.0 + power)
        return column

    def labels(self, scores: Floats) -> npt.NDArray[np.int64]:
        """Return the predicted labels of `scores`; a regressor has none (ValueError)."""
        if self.predictor_type == "regressor":
            raise ValueError("a regressor predicts scores, not labels")
        if scores.ndim == 2:
            return np.asarray(scores.argmax(axis=1), dtype=np.int64)
        return (scores >= self.threshold).astype(np.int64)


def read_artifact(path: Path) -> LinearModel:
    """Read a model.

    Parameters
    ----------
    path : Path
        A ``model.tar.gz``, or a directory that holds ``model_algo-1`` or ``model.tar.gz``; other files do not matter.

    Raises
    ------
    ArtifactError
        Nothing there, broken, or not Linear Learner's; the message names `path`, what was found and what is wanted.
    """
    try:
        return _parse_member(_read_member(path))
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from None
    except _BROKEN as error:
        raise ArtifactError(f"{path}: broken Linear Learner artifact ({type(error).__name__}: {error})") from error


def write_artifact(model: LinearModel, path: Path) -> None:
    """Write `model` to `path`: an archive where the name ends in ``.tar.gz``, else ``model_algo-1`` in that directory.

    Equal models give equal bytes.
    """
    member = _format_member(model)
    if not path.name.endswith(".tar.gz"):
        path.mkdir(parents=True, exist_ok=True)
        (path / MEMBER).write_bytes(member)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        info = tarfile.TarInfo(MEMBER)
        info.size = len(member)
        archive.addfile(info, io.BytesIO(member))


def _usual_output(predictor_type: str, loss_type: str) -> str:
    if predictor_type == "multiclass_classifier":
        return _OUTPUT_SOFTMAX
    return _OUTPUT_LOGISTIC if loss_type == "logistic" else _OUTPUT_LINEAR


def _model_problems(model: LinearModel) -> list[str]:
    problems = []
    if model.predictor_type not in get_args(PredictorType):
        problems.append(f"predictor_type is {model.predictor_type!r}, known: {', '.join(get_args(PredictorType))}")
    if model.output not in _OUTPUTS:
        problems.append(f"the graph ends in {model.output!r}, known: {', '.join(_OUTPUTS)}")
    elif (model.output == _OUTPUT_SOFTMAX) != (model.predictor_type == "multiclass_classifier"):
        problems.append(f"{model.output} does not go with predictor_type {model.predictor_type!r}")
    if model.weights.ndim != 2 or model.bias.shape != model.weights.shape[1:]:
        problems.append(f"weights {model.weights.shape} and bias {model.bias.shape} do not fit each other")
    elif model.predictor_type != "multiclass_classifier" and model.weights.shape[1] != 1:
        problems.append(f"a {model.predictor_type} has one output, weights are {model.weights.shape}")
    if not (np.isfinite(model.weights).all() and np.isfinite(model.bias).all()):
        problems.append("weights or bias hold values that are not finite")
    return problems


def _read_member(path: Path) -> bytes:
    if path.is_dir():
        if (path / MEMBER).is_file():
            return (path / MEMBER).read_bytes()
        if not (path / ARCHIVE).is_file():
            found = ", ".join(sorted(entry.name for entry in path.iterdir())) or "nothing"
            raise ArtifactError(f"holds no model: {MEMBER} or {ARCHIVE} is wanted, found {found}")
        path /= ARCHIVE
    elif not path.exists():
        raise ArtifactError(f"does not exist: an archive ({ARCHIVE}) or a directory with {MEMBER} is wanted")
    with tarfile.open(path, "r:*") as archive:
        for info in archive:
            if info.isfile() and info.name.removeprefix("./") == MEMBER:
                stream = archive.extractfile(info)
                assert stream is not None
                return stream.read()
        raise ArtifactError(f"the archive holds no {MEMBER}")


def _parse_member(member: bytes) -> LinearModel:
    with zipfile.ZipFile(io.BytesIO(member)) as files:
        missing = {_PARAMS, _SYMBOL, _ADDITIONAL} - set(files.namelist())
        if missing:
            raise ArtifactError(f"{MEMBER} lacks {', '.join(sorted(missing))}")
        additional = json.loads(files.read(_ADDITIONAL))
        graph = json.loads(files.read(_SYMBOL))
        arrays = _parse_arrays(files.read(_PARAMS))
    names = {"arg:fc0_weight", "arg:fc0_bias"}
    if set(arrays) != names:
        raise ArtifactError(f"{_PARAMS} holds {sorted(arrays)}, a linear model holds {sorted(names)}")
    return LinearModel(
        predictor_type=additional["predictor_type"],
        weights=arrays["arg:fc0_weight"],
        bias=arrays["arg:fc0_bias"].reshape(-1),
        loss_type=additional["loss_type"],
        threshold=float(additional["threshold"]),
        output=graph["nodes"][graph["heads"][0][0]]["op"],
        metrics_params=additional.get("metrics_params", {}),
    )


def _format_member(model: LinearModel) -> bytes:
    additional = {
        "threshold": model.threshold,
        "loss_type": model.loss_type,
        "metrics_params": dict(model.metrics_params),
        "predictor_type": model.predictor_type,
    }
    arrays = {"arg:fc0_bias": model.bias.reshape(1, -1), "arg:fc0_weight": model.weights}
    members = {
        _ADDITIONAL: json.dumps(additional).encode(),
        _MANIFEST: json.dumps(_MANIFEST_CONTENT).encode(),
        _PARAMS: _format_arrays(arrays),
        _SYMBOL: json.dumps(_graph(model), indent=2).encode(),
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as files:
        for name in sorted(members):
            files.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), members[name])
    return stream.getvalue()


def _graph(model: LinearModel) -> dict[str, Any]:
    def node(op: str, name: str, *inputs: int, **attributes: str) -> dict[str, Any]:
        described: dict[str, Any] = {"op": op, "name": name, "inputs": [[index, 0, 0] for index in inputs]}
        return described | ({"attrs": attributes} if attributes else {})

    n_outputs = model.weights.shape[1]
    nodes = [
        node("null", "data"),
        node("null", "fc0_weight", __shape__=str(model.weights.shape)),
        node("dot", "dot0", 0, 1),
        node("null", "fc0_bias", __lr_mult__="10.0", __shape__=f"(1, {n_outputs})"),
        node("broadcast_add", "broadcast_plus0", 2, 3),
        node("null", "out_label"),
        node(model.output, f"{model.output.lower()}0", 4, 5),
    ]
    return {
        "nodes": nodes,
        "arg_nodes": [index for index, each in enumerate(nodes) if each["op"] == "null"],
        "node_row_ptr": list(range(len(nodes) + 1)),
        "heads": [[len(nodes) - 1, 0, 0]],
        "attrs": {"mxnet_version": ["int", 10301]},
    }


def _parse_arrays(data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """Parse an NDArray list: u64 magic, u64 reserved, u64 count, the arrays, u64 count, the names."""
    stream = io.BytesIO(data)

    def take(layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, stream.read(struct.calcsize(layout)))

    magic, _, count = take("<QQQ")
    if magic != _LIST_MAGIC:
        raise ArtifactError(f"{_PARAMS} starts with {magic:#x}, an NDArray list starts with {_LIST_MAGIC:#x}")
    arrays = []
    for _ in range(count):
        magic, storage, rank = take("<IiI")
        shape = take(f"<{rank}q")
        _, _, dtype = take("<iii")
        if (magic, storage, dtype) != (_ARRAY_MAGIC, _DENSE, _FLOAT32):
            raise ArtifactError(
                f"an array has magic {magic:#x}, storage {storage}, type {dtype}; "
                f"dense float32 ({_ARRAY_MAGIC:#x}, {_DENSE}, {_FLOAT32}) is understood"
            )
        size = 4 * int(np.prod(shape))
        arrays.append(np.frombuffer(stream.read(size), dtype="<f4").reshape(shape))
    (count,) = take("<Q")
    names = [stream.read(take("<Q")[0]).decode() for _ in range(count)]
    if stream.tell() != len(data):
        raise ArtifactError(f"{_PARAMS} has {len(data) - stream.tell()} bytes after its end")
    return dict(zip(names, arrays, strict=True))


def _format_arrays(arrays: Mapping[str, npt.NDArray[np.float32]]) -> bytes:
    parts = [struct.pack("<QQQ", _LIST_MAGIC, 0, len(arrays))]
    for array in arrays.values():
        parts.append(struct.pack("<IiI", _ARRAY_MAGIC, _DENSE, array.ndim))
        parts.append(struct.pack(f"<{array.ndim}q", *array.shape))
        parts.append(struct.pack("<iii", _CPU, 0, _FLOAT32))
        parts.append(np.ascontiguousarray(array, dtype="<f4").tobytes())
    parts.append(struct.pack("<Q", len(arrays)))
    parts.extend(struct.pack("<Q", len(name)) + name.encode() for name in arrays)
    return b"".join(parts)
