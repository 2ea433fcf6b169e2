"""Channels of a training job: ``text/csv`` with the label first, or RecordIO-protobuf, into one float32 matrix.

References
----------
Amazon SageMaker Developer Guide, "Linear Learner Algorithm", input/output interface (ll-input_output).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from training import recordio
from training.linear_learner.failure import ClientError
from training.linear_learner.hyperparameters import Hyperparameters

Floats = npt.NDArray[np.float32]

RECORDIO: Final = "application/x-recordio-protobuf"
CSV: Final = "text/csv"
_BYTES_PER_VALUE: Final = {CSV: 2, RECORDIO: 4}  # at least, the separator included


@dataclass(frozen=True)
class Channel:
    """All rows of a channel.

    Parameters
    ----------
    features : ndarray of shape (n_rows, feature_dim)
    labels : ndarray of shape (n_rows,)
    """

    features: Floats
    labels: Floats


def read_channel(directory: Path, content_type: str, hyperparameters: Hyperparameters) -> Channel:
    """Read a channel's files in the order of their names, and check the labels.

    Raises
    ------
    ClientError
        No file, a broken file, rows of different width or of another than ``feature_dim``, impossible labels, values
        that are not finite.
    """
    name = directory.name
    kind, _, parameters = content_type.partition(";")
    if kind not in _BYTES_PER_VALUE:
        raise ClientError(f"Content type of channel {name!r}: came {content_type!r}; allowed are {CSV}, {RECORDIO}")
    if kind == CSV and parameters.strip() not in ("", "label_size=1"):
        raise ClientError(f"Content type of channel {name!r}: came {content_type!r}; allowed is {CSV};label_size=1")
    paths = sorted(path for path in directory.rglob("*") if path.is_file()) if directory.is_dir() else []
    if not sum(path.stat().st_size for path in paths):
        raise ClientError(f"No data in channel {name!r}: {directory} holds no rows; check the S3 URI of the channel")
    channel = _fill(paths, name, kind)
    _check(channel, name, hyperparameters)
    return channel


def _fill(paths: list[Path], name: str, kind: str) -> Channel:
    """Copy all blocks into one matrix, sized for the most rows the files can hold; what stays unused costs nothing."""
    features, labels, rows = np.empty((0, 0), np.float32), np.empty(0, np.float32), 0
    size = sum(path.stat().st_size for path in paths)
    for path in paths:
        for block, block_labels in _blocks(path, kind):
            if not rows:
                width = block.shape[1]
                capacity = size // (_BYTES_PER_VALUE[kind] * (width + 1)) + len(paths)
                features, labels = np.empty((capacity, width), np.float32), np.empty(capacity, np.float32)
            if block.shape[1] != features.shape[1]:
                came = f"came {block.shape[1]} features; earlier rows have {features.shape[1]}"
                raise ClientError(f"Channel {name!r}, {path.name}: {came}")
            features[rows : rows + len(block)] = block
            labels[rows : rows + len(block)] = block_labels
            rows += len(block)
    return Channel(features[:rows], labels[:rows])


def _blocks(path: Path, kind: str) -> Iterator[tuple[Floats, Floats]]:
    try:
        yield from recordio.read_blocks(path) if kind == RECORDIO else _csv_blocks(path)
    except recordio.RecordIOError as error:
        raise ClientError(f"Unable to read RecordIO-protobuf data: {error}") from error
    except pa.ArrowInvalid as error:
        raise ClientError(f"Unable to read CSV data: {path.name}: {error}") from error


def _csv_blocks(path: Path) -> Iterator[tuple[Floats, Floats]]:
    with path.open("rb") as file:
        columns = file.readline().count(b",") + 1
    names = [str(column) for column in range(columns)]
    if columns == 1:
        raise pa.ArrowInvalid("came one column; a label and at least one feature are needed, separated by commas")
    convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float32()), null_values=[])
    for batch in csv.open_csv(path, csv.ReadOptions(column_names=names), csv.ParseOptions(quote_char=False), convert):
        values = np.empty((batch.num_rows, columns), np.float32)
        for column, array in enumerate(batch.columns):
            # Not to_numpy, which would import pandas.
            values[:, column] = np.frombuffer(array.buffers()[1], np.float32, len(array), 4 * array.offset)
        yield values[:, 1:], values[:, 0]


def _check(channel: Channel, name: str, hyperparameters: Hyperparameters) -> None:
    expected, came = hyperparameters.feature_dim, channel.features.shape[1]
    if expected not in (None, came):
        raise ClientError(
            f"Channel {name!r}: rows have {came} features; feature_dim is {expected}. Set feature_dim to {came} or auto"
        )
    labels = channel.labels
    if not (np.isfinite(labels).all() and np.isfinite(channel.features.sum(dtype=np.float64))):
        raise ClientError(f"Channel {name!r}: holds values that are not finite numbers")
    classes = {"binary_classifier": 2, "multiclass_classifier": hyperparameters.num_classes}.get(
        hyperparameters.predictor_type
    )
    if classes and not ((labels == np.floor(labels)) & (labels >= 0) & (labels < classes)).all():
        wrong = labels[(labels != np.floor(labels)) | (labels < 0) | (labels >= classes)][0]
        raise ClientError(
            f"Channel {name!r}: came label {wrong:g}; allowed for this {hyperparameters.predictor_type} "
            f"are the integers 0 to {classes - 1}"
        )
