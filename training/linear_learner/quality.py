"""Linear Learner's metrics of a data set, under its names, and the lines it logs them with.

References
----------
Metric names: Amazon SageMaker Developer Guide, "Tune a linear learner model" (linear-learner-tuning). Log lines: the
metric definitions of a DescribeTrainingJob of a Linear Learner job; hyperparameter tuning reads them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.linear_learner.hyperparameters import Hyperparameters
from training.linear_learner.losses import loss_of
from training.metrics import confusion_matrix, f_score, ratio, roc_auc

Floats = npt.NDArray[np.floating]


def losses_line(epoch: int, channel: str, value: float, hyperparameters: Hyperparameters) -> str:
    """Return the line of a channel's mean loss after an epoch."""
    objective = loss_of(hyperparameters).objective
    return f"#quality_metric: host=algo-1, epoch={epoch}, {channel} {objective} <loss>={value!r}"


def quality_lines(channel: str, metrics: dict[str, float], hyperparameters: Hyperparameters) -> list[str]:
    """Return the lines of a channel's final metrics, the objective loss first."""
    objective = loss_of(hyperparameters).objective
    lines = [f"#{channel}_score (algo-1) : ({name!r}, {value!r})" for name, value in metrics.items()]
    for name, value in metrics.items():
        kind = "loss" if name in (objective, "mse", "absolute_loss") else "score"
        lines.append(f"#quality_metric: host=algo-1, {channel} {name} <{kind}>={value!r}")
    return lines


def binary_metrics(
    scores: Floats, positive: npt.NDArray[np.bool_], threshold: float, hyperparameters: Hyperparameters
) -> dict[str, float]:
    """Return accuracy, F-beta, precision, recall and ROC AUC."""
    (true_negatives, false_positives), (false_negatives, true_positives) = confusion_matrix(
        scores >= threshold, positive
    )
    precision = ratio(true_positives, true_positives + false_positives)
    recall = ratio(true_positives, true_positives + false_negatives)
    return {
        "binary_classification_accuracy": (true_positives + true_negatives) / len(scores),
        f"binary_f_{hyperparameters.f_beta:.3f}": f_score(precision, recall, hyperparameters.f_beta),
        "precision": precision,
        "recall": recall,
        "roc_auc_score": roc_auc(scores, positive),
    }


def multiclass_metrics(sums: Floats, labels: Floats, hyperparameters: Hyperparameters) -> dict[str, float]:
    """Return accuracy, top-k accuracy, discounted cumulative gain and the macro averages over classes.

    Parameters
    ----------
    sums : ndarray of shape (n_rows, num_classes)
    labels : ndarray of shape (n_rows,)
    """
    truth = labels.astype(np.intp)
    classes = sums.shape[1]
    own = sums[np.arange(len(sums)), truth]
    ranks = (sums > own[:, np.newaxis]).sum(axis=1)  # 0: the true class scores highest
    predicted = sums.argmax(axis=1)
    hits = np.bincount(truth[predicted == truth], minlength=classes)
    precisions = hits / np.maximum(np.bincount(predicted, minlength=classes), 1)
    recalls = hits / np.maximum(np.bincount(truth, minlength=classes), 1)
    beta = hyperparameters.f_beta
    scores = [f_score(precision, recall, beta) for precision, recall in zip(precisions, recalls, strict=True)]
    return {
        "multiclass_accuracy": float((predicted == truth).mean()),
        f"multiclass_top_k_accuracy_{hyperparameters.accuracy_top_k}": float(
            (ranks < hyperparameters.accuracy_top_k).mean()
        ),
        "dcg": float((1 / np.log2(ranks + 2)).mean()),
        "macro_recall": float(recalls.mean()),
        "macro_precision": float(precisions.mean()),
        f"macro_f_{beta:.3f}": float(np.mean(scores)),
    }


def regression_metrics(predictions: Floats, labels: Floats) -> dict[str, float]:
    """Return mean squared and mean absolute error, in the labels' own scale."""
    errors = predictions.astype(np.float64) - labels
    return {"mse": float((errors**2).mean()), "absolute_loss": float(np.abs(errors).mean())}
