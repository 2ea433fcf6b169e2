"""Amazon's XGBoost algorithm: the same hyperparameters and channels, trained by the XGBoost library installed here.

Not emulated: several instances, pipe mode, content types but CSV, instance weights, checkpoints.

References
----------
SageMaker developer guide, "XGBoost algorithm with Amazon SageMaker AI"; aws/sagemaker-xgboost-container
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost
from pyarrow import csv
from sklearn import metrics

from config.algorithms import ALGORITHMS, CSV
from sandbox.toolkit.environment import FORCED, TrainingEnvironment, UserError

MODEL = "xgboost-model"
CHANNELS = ("train", "validation")
NOT_FOR_THE_LIBRARY = {"num_round", "early_stopping_rounds", "eval_metric", FORCED}
OWN_METRICS: dict[str, Callable[..., float]] = {  # the container computes them, XGBoost does not know them
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "f1": metrics.f1_score,
    "precision": metrics.precision_score,
    "recall": metrics.recall_score,
}


def train(environment: TrainingEnvironment) -> None:
    """Train, print the metrics of each round, and write the model.

    Raises
    ------
    UserError
        Hyperparameters, channels or data that cannot be trained on.
    """
    given = environment.hyperparameters
    _check(environment)
    matrices = {name: _read(environment.channel(name)) for name in CHANNELS if name in environment.channels}
    for name, matrix in matrices.items():
        sys.stdout.write(f"INFO:sagemaker-xgboost-container:{name} matrix has {matrix.num_row()} rows\n")
    objective = given.get(FORCED, "").removeprefix("validation:")
    wanted = dict.fromkeys(filter(None, (*given.get("eval_metric", "").split(","), objective)))
    own = [metric for metric in wanted if metric in OWN_METRICS]
    parameters: dict[str, Any] = {name: value for name, value in given.items() if name not in NOT_FOR_THE_LIBRARY}
    if builtin := [metric for metric in wanted if metric not in OWN_METRICS]:
        parameters["eval_metric"] = builtin
    try:
        booster = xgboost.train(
            parameters,
            matrices["train"],
            num_boost_round=int(given["num_round"]),
            evals=[(matrix, name) for name, matrix in matrices.items()],
            custom_metric=_custom(own) if own else None,
            early_stopping_rounds=int(given["early_stopping_rounds"]) if "early_stopping_rounds" in given else None,
            verbose_eval=True,  # prints the lines that SageMaker reads the metrics from
        )
    except xgboost.core.XGBoostError as error:
        raise UserError(str(error).splitlines()[-1]) from error
    (environment.model_dir / MODEL).write_bytes(booster.save_raw("ubj"))


def _check(environment: TrainingEnvironment) -> None:
    given = {name: value for name, value in environment.hyperparameters.items() if name != FORCED}
    problems = ALGORITHMS["xgboost"].problems(given)
    problems += [
        f"channel {name!r} has the content type {kind}; the sandbox reads {CSV}"
        for name, channel in environment.channels.items()
        if (kind := channel.get("ContentType", "text/libsvm")).partition(";")[0] != CSV
    ]
    if unknown := sorted(set(environment.channels) - set(CHANNELS)):
        problems.append(f"channel {', '.join(unknown)} is none of XGBoost's: {', '.join(CHANNELS)}")
    if "train" not in environment.channels:
        problems.append("channel 'train' is missing")
    if len(environment.hosts) > 1:
        problems.append(f"came {len(environment.hosts)} instances; the sandbox's XGBoost trains on one")
    if problems:
        raise UserError("; ".join(problems))


def _read(directory: Path) -> xgboost.DMatrix:
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and path.stat().st_size)
    if not paths:
        raise UserError(f"No data in channel {directory.name!r}")
    try:
        rows = np.concatenate([_rows(path) for path in paths])
    except (pa.ArrowInvalid, ValueError) as error:
        raise UserError(f"channel {directory.name!r} is no CSV of numbers: {error}") from error
    return xgboost.DMatrix(rows[:, 1:], label=rows[:, 0])


def _rows(path: Path) -> Any:
    """Return a file's rows, float32 of shape (n_rows, 1 + n_features): the label comes first."""
    with path.open("rb") as file:
        names = [str(column) for column in range(file.readline().count(b",") + 1)]
    convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float32()))
    table = csv.read_csv(path, csv.ReadOptions(column_names=names), convert_options=convert)
    return np.column_stack([column.to_numpy() for column in table.columns])


def _custom(wanted: list[str]) -> Callable[[Any, xgboost.DMatrix], Any]:
    def evaluate(scores: Any, matrix: xgboost.DMatrix) -> list[tuple[str, float]]:
        labels, predicted = matrix.get_label(), scores >= 0.5
        return [(metric, float(OWN_METRICS[metric](labels, predicted))) for metric in wanted]

    return evaluate
