"""Score the test channel with the trained artifact and write evaluation.json: a SageMaker Processing job.

The model answers as the endpoint will (`training.evaluated_model`), and a row is positive where its score reaches the
model's threshold. Features are read block by block; of each row only score and label (9 bytes) are kept, because the
area under the ROC curve needs all of them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training import recordio
from training.evaluated_model import Model, Script, loaded
from training.job import JobError
from training.metrics import confusion_matrix, f_score, ratio, roc_auc
from training.schema import LABELS


def main(arguments: Sequence[str]) -> None:
    """Run the job with command-line arguments; `JobError` says what is wrong with the input."""
    parser = argparse.ArgumentParser(prog="evaluate", description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="directory with model.tar.gz, or that file")
    parser.add_argument("--test", type=Path, required=True, help="the test channel that preprocess wrote")
    parser.add_argument("--output", type=Path, required=True, help="directory to hold evaluation.json")
    parser.add_argument("--source", type=Path, help="directory with the script's source archive")
    parser.add_argument("--entry-point", help="the script, a file of the source")
    parser.add_argument("--framework", help="the script's")
    parser.add_argument("--packed", type=Path, help="directory to hold the model.tar.gz with the script in it")
    options = parser.parse_args(arguments)
    script = Script(options.source, options.entry_point, options.framework, options.packed) if options.source else None
    with loaded(options.model, script) as model:
        evaluation = evaluate(model, options.test)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "evaluation.json").write_text(json.dumps(evaluation, indent=2) + "\n")


def evaluate(model: Model, test: Path) -> dict[str, Any]:
    """Return the model's metrics on a test channel; attacks count as positive.

    Returns
    -------
    dict
        accuracy, f1, roc_auc, false_alarm_rate (normal connections called attacks), precision, recall, rows,
        threshold, labels, and confusion_matrix [[tn, fp], [fn, tp]].

    Raises
    ------
    JobError
        No rows, rows of another width, rows of one class only, or a script's model that answers something else.
    """
    blocks = list(_scores(model, test))
    rows = sum(len(scores) for scores, _ in blocks)
    if not rows:
        raise JobError(f"--test: {test} holds no rows; the test channel of preprocess is needed")
    scores = np.concatenate([block for block, _ in blocks])
    positive = np.concatenate([block for _, block in blocks])
    if positive.all() or not positive.any():
        raise JobError(f"--test: all {rows} rows are {LABELS[int(positive[0])]}; rows of both labels are needed")
    matrix = confusion_matrix(scores >= model.threshold, positive)
    (true_negatives, false_positives), (false_negatives, true_positives) = matrix
    precision = ratio(true_positives, true_positives + false_positives)
    recall = ratio(true_positives, true_positives + false_negatives)
    return {
        "accuracy": (true_positives + true_negatives) / rows,
        "f1": f_score(precision, recall),
        "roc_auc": roc_auc(scores, positive),
        "false_alarm_rate": ratio(false_positives, false_positives + true_negatives),
        "precision": precision,
        "recall": recall,
        "rows": rows,
        "threshold": model.threshold,
        "labels": list(LABELS),
        "confusion_matrix": matrix,
    }


def _scores(model: Model, test: Path) -> Iterator[tuple[npt.NDArray[np.floating], npt.NDArray[np.bool_]]]:
    for path in sorted(path for path in test.rglob("*") if path.is_file()):
        try:
            for features, labels in recordio.read_blocks(path, rows=4096):
                if model.n_features not in (None, features.shape[1]):
                    message = f"came {features.shape[1]} features; the model takes {model.n_features}"
                    raise JobError(f"--test: {path.name}: {message}. Preprocess and train again")
                yield model.scores(features), labels > 0
        except recordio.RecordIOError as error:
            raise JobError(f"--test: {error}") from error
