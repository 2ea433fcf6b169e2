"""Score the test channel with the trained artifact and write evaluation.json: a SageMaker Processing job.

The model answers as the endpoint will: `serving.artifact` reads the artifact the server reads, and a row is positive
where its score reaches the artifact's threshold. Features are read block by block; of each row only score and label
(9 bytes) are kept, because the area under the ROC curve needs all of them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.artifact import ArtifactError, LinearModel, read_artifact
from training import recordio
from training.job import JobError
from training.metrics import confusion_matrix, f_score, ratio, roc_auc
from training.schema import LABELS


def main(arguments: Sequence[str]) -> None:
    """Run the job with command-line arguments; `JobError` says what is wrong with the input."""
    parser = argparse.ArgumentParser(prog="evaluate", description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="directory with model.tar.gz, or that file")
    parser.add_argument("--test", type=Path, required=True, help="the test channel that preprocess wrote")
    parser.add_argument("--output", type=Path, required=True, help="directory to hold evaluation.json")
    options = parser.parse_args(arguments)
    evaluation = evaluate(options.model, options.test)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "evaluation.json").write_text(json.dumps(evaluation, indent=2) + "\n")


def evaluate(model_path: Path, test: Path) -> dict[str, Any]:
    """Return the model's metrics on a test channel; attacks count as positive.

    Returns
    -------
    dict
        accuracy, f1, roc_auc, false_alarm_rate (normal connections called attacks), precision, recall, rows,
        threshold, labels, and confusion_matrix [[tn, fp], [fn, tp]].

    Raises
    ------
    JobError
        No model, another kind of model, no rows, rows of another width, or rows of one class only.
    """
    try:
        model = read_artifact(model_path)
    except ArtifactError as error:
        raise JobError(f"--model: {error}") from error
    if model.predictor_type != "binary_classifier":
        raise JobError(f"--model: came a {model.predictor_type}; KDD99 needs a binary_classifier")
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


def _scores(model: LinearModel, test: Path) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]]:
    for path in sorted(path for path in test.rglob("*") if path.is_file()):
        try:
            for features, labels in recordio.read_blocks(path, rows=4096):
                if features.shape[1] != model.n_features:
                    message = f"came {features.shape[1]} features; the model takes {model.n_features}"
                    raise JobError(f"--test: {path.name}: {message}. Preprocess and train again")
                yield model.scores(features), labels > 0
        except recordio.RecordIOError as error:
            raise JobError(f"--test: {error}") from error
