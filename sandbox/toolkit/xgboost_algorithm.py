"""Amazon's XGBoost algorithm: the same hyperparameters and channels, trained by the XGBoost library installed here.

Several instances train together, each on the rows of its own, by way of XGBoost's own collective. Not emulated: pipe
mode, content types but CSV, instance weights, checkpoints.

References
----------
SageMaker developer guide, "XGBoost algorithm with Amazon SageMaker AI"; aws/sagemaker-xgboost-container
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost
from pyarrow import csv
from sklearn import metrics
from xgboost.callback import EvaluationMonitor
from xgboost.collective import CommunicatorContext
from xgboost.tracker import RabitTracker

from config.algorithms import ALGORITHMS, CSV
from sandbox.toolkit.environment import FORCED, TrainingEnvironment, UserError

MODEL = "xgboost-model"
CHANNELS = ("train", "validation")
POLL_SECONDS = 0.05
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
    _check(environment)
    # before any instance waits for another: one that has no rows must end, and not be waited for
    rows = {name: _read(environment.channel(name)) for name in CHANNELS if name in environment.channels}
    try:
        with _together(environment):
            booster = _boost(environment.hyperparameters, rows)
    except xgboost.core.XGBoostError as error:
        raise UserError(str(error).splitlines()[-1]) from error
    if environment.host == environment.hosts[0]:
        (environment.model_dir / MODEL).write_bytes(booster.save_raw("ubj"))


@contextmanager
def _together(environment: TrainingEnvironment) -> Iterator[None]:
    """Connect the instances of a job: the first runs the tracker, and says in the rendezvous file where."""
    if len(environment.hosts) == 1:
        yield
        return
    meeting = Path(os.environ["SAGESCALE_RENDEZVOUS"])
    tracker = None
    if environment.host == environment.hosts[0]:
        tracker = RabitTracker(len(environment.hosts), "127.0.0.1", sortby="task")
        tracker.start()
        written = meeting.with_suffix(".part")
        written.write_text(json.dumps(tracker.worker_args()))
        written.replace(meeting)  # whole, or not there
    while not meeting.exists():
        time.sleep(POLL_SECONDS)
    place = json.loads(meeting.read_text())
    with CommunicatorContext(**place, dmlc_task_id=f"{environment.hosts.index(environment.host):04}"):
        yield
    if tracker:
        tracker.wait_for()


def _boost(given: Mapping[str, str], rows: Mapping[str, Any]) -> xgboost.Booster:
    matrices = {name: xgboost.DMatrix(table[:, 1:], label=table[:, 0]) for name, table in rows.items()}
    for name, matrix in matrices.items():
        _log(f"INFO:sagemaker-xgboost-container:{name} matrix has {matrix.num_row()} rows\n")
    objective = given.get(FORCED, "").removeprefix("validation:")
    wanted = dict.fromkeys(filter(None, (*given.get("eval_metric", "").split(","), objective)))
    own = [metric for metric in wanted if metric in OWN_METRICS]
    parameters: dict[str, Any] = {name: value for name, value in given.items() if name not in NOT_FOR_THE_LIBRARY}
    if builtin := [metric for metric in wanted if metric not in OWN_METRICS]:
        parameters["eval_metric"] = builtin
    return xgboost.train(
        parameters,
        matrices["train"],
        num_boost_round=int(given["num_round"]),
        evals=[(matrix, name) for name, matrix in matrices.items()],
        custom_metric=_custom(own) if own else None,
        early_stopping_rounds=int(given["early_stopping_rounds"]) if "early_stopping_rounds" in given else None,
        verbose_eval=False,
        callbacks=[EvaluationMonitor(logger=_log)],  # the lines that SageMaker reads the metrics from
    )


def _log(line: str) -> None:
    sys.stdout.write(line)


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
    if problems:
        raise UserError("; ".join(problems))


def _read(directory: Path) -> Any:
    """Return a channel's rows, float32 of shape (n_rows, 1 + n_features): the label comes first."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and path.stat().st_size)
    if not paths:
        raise UserError(f"No data in channel {directory.name!r}")
    try:
        return np.concatenate([_rows(path) for path in paths])
    except (pa.ArrowInvalid, ValueError) as error:
        raise UserError(f"channel {directory.name!r} is no CSV of numbers: {error}") from error


def _rows(path: Path) -> Any:
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
