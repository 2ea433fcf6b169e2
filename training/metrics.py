"""Metrics of a binary classifier, exact, from all scores and labels of a data set."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Booleans = npt.NDArray[np.bool_]


def roc_auc(scores: Floats, positive: Booleans) -> float:
    """Return the area under the ROC curve: the chance that a positive scores above a negative, ties counting half.

    Parameters
    ----------
    scores : ndarray of shape (n_rows,)
    positive : ndarray of shape (n_rows,)

    Returns
    -------
    float
        nan where one of the classes is missing.
    """
    positives = int(positive.sum())
    pairs = positives * (len(positive) - positives)
    if not pairs:
        return float("nan")
    order = np.argsort(scores, kind="stable")
    ranked, hits = scores[order], positive[order]
    new_score = np.concatenate([[True], ranked[1:] != ranked[:-1]])
    starts = np.flatnonzero(new_score)
    hits_per_score = np.add.reduceat(hits, starts, dtype=np.int64)
    misses_per_score = np.diff(np.append(starts, len(ranked))) - hits_per_score
    misses_below = np.cumsum(misses_per_score) - misses_per_score
    return float((hits_per_score * (misses_below + misses_per_score / 2)).sum() / pairs)


def confusion_matrix(predicted: Booleans, positive: Booleans) -> list[list[int]]:
    """Return [[true negatives, false positives], [false negatives, true positives]]."""
    counts = np.bincount(2 * positive.astype(np.int64) + predicted, minlength=4).tolist()
    return [counts[:2], counts[2:]]


def ratio(part: float, whole: float) -> float:
    """Return ``part / whole``, and 0 where there is no whole, as precision and recall are reported."""
    return part / whole if whole else 0.0


def f_score(precision: float, recall: float, beta: float = 1.0) -> float:
    """Return F-beta: the weighted harmonic mean of precision and recall."""
    return ratio((1 + beta**2) * precision * recall, beta**2 * precision + recall)
