"""The threshold of a binary classifier, chosen by ``binary_classifier_model_selection_criteria``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.linear_learner.hyperparameters import Hyperparameters

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Calibration:
    """A threshold and what the criterion is worth there (to be maximised)."""

    threshold: float
    worth: float


def calibrate(
    scores: Floats, positive: npt.NDArray[np.bool_], hyperparameters: Hyperparameters, neutral: float
) -> Calibration:
    """Return the threshold that maximises the criterion over the given rows.

    Thresholds stand halfway between neighbouring scores; of equally good ones the nearest to ``neutral`` is taken.

    Parameters
    ----------
    scores : ndarray of shape (n_rows,)
    positive : ndarray of shape (n_rows,)
    hyperparameters : Hyperparameters
        Criterion, beta and targets.
    neutral : float
        The threshold that belongs to the loss: 0.5 for a probability, 0 for a margin.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], positive[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)  # rows that end a run of equal scores
    called = np.concatenate([[0], ends + 1])  # rows called positive, for each threshold
    true_positives = np.concatenate([[0], np.cumsum(hits)[ends]])
    bounds = np.concatenate([[np.nextafter(ranked[0], np.inf)], ranked[ends]]).astype(np.float64)
    halfway = (bounds[:-1] + bounds[1:]) / 2
    halfway = np.where(halfway > bounds[1:], halfway, bounds[:-1])  # between neighbouring floats there is nothing
    thresholds = np.concatenate([bounds[:1], halfway[1:], bounds[-1:]])
    worths = _worths(true_positives, called, int(positive.sum()), len(positive), hyperparameters)
    best = np.flatnonzero(worths == worths.max())
    chosen = best[np.argmin(np.abs(thresholds[best] - neutral))]
    return Calibration(float(thresholds[chosen]), float(worths[chosen]))


def _worths(
    true_positives: npt.NDArray[np.int64],
    called: npt.NDArray[np.int64],
    positives: int,
    rows: int,
    hyperparameters: Hyperparameters,
) -> Floats:
    precision = true_positives / np.maximum(called, 1)
    recall = true_positives / max(positives, 1)
    match hyperparameters.binary_classifier_model_selection_criteria or "accuracy":
        case "f_beta":
            beta = hyperparameters.f_beta**2
            return np.asarray((1 + beta) * true_positives / np.maximum(beta * positives + called, 1))
        case "precision_at_target_recall":
            return np.where(recall >= hyperparameters.target_recall, precision, recall - 1)
        case "recall_at_target_precision":
            return np.where(precision >= hyperparameters.target_precision, recall, precision - 1)
        case _:
            return np.asarray((rows - positives - called + 2 * true_positives) / rows)
