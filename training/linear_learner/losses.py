"""Linear Learner's losses: the loss of every row and its derivative by the row's sums ``x . w + b``.

References
----------
Amazon SageMaker Developer Guide, "Linear learner hyperparameters": loss, margin, huber_delta, quantile,
loss_insensitivity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.linear_learner.hyperparameters import Hyperparameters

Floats = npt.NDArray[np.floating]
Function = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True)
class Loss:
    """A loss of sums and labels.

    Parameters
    ----------
    objective : str
        The name of its mean in metrics.
    values : callable
        (sums of shape (n_rows, n_outputs), labels of shape (n_rows,)) to losses of shape (n_rows,).
    derivatives : callable
        The same arguments to derivatives by the sums, of shape (n_rows, n_outputs).
    """

    objective: str
    values: Function
    derivatives: Function


def loss_of(hyperparameters: Hyperparameters) -> Loss:
    """Return the loss that the hyperparameters ask for."""
    width = hyperparameters.loss_insensitivity
    delta = hyperparameters.huber_delta
    losses: dict[str, Callable[[], Loss]] = {
        "logistic": lambda: Loss("binary_classification_cross_entropy_objective", _logistic, _logistic_derivatives),
        "hinge_loss": lambda: _hinge(hyperparameters.margin),
        "softmax_loss": lambda: Loss("multiclass_cross_entropy_objective", _softmax, _softmax_derivatives),
        "squared_loss": lambda: _of_errors("mse", np.square, lambda e: 2 * e),
        "absolute_loss": lambda: _of_errors("absolute_loss", np.abs, np.sign),
        "eps_insensitive_squared_loss": lambda: _of_errors(
            "eps_insensitive_squared_loss",
            lambda e: np.where(np.abs(e) > width, e * e, 0),
            lambda e: np.where(np.abs(e) > width, 2 * e, 0),
        ),
        "eps_insensitive_absolute_loss": lambda: _of_errors(
            "eps_insensitive_absolute_loss",
            lambda e: np.where(np.abs(e) > width, np.abs(e), 0),
            lambda e: np.where(np.abs(e) > width, np.sign(e), 0),
        ),
        "quantile_loss": lambda: _quantile(hyperparameters.quantile),
        "huber_loss": lambda: _of_errors(
            "huber_loss",
            lambda e: np.where(np.abs(e) <= delta, e * e / 2, delta * (np.abs(e) - delta / 2)),
            lambda e: np.clip(e, -delta, delta),
        ),
    }
    return losses[hyperparameters.loss_type]()


def _of_errors(name: str, values: Callable[[Floats], Floats], derivatives: Callable[[Floats], Floats]) -> Loss:
    """Return a regression loss of the error: prediction minus label."""

    def errors(sums: Floats, labels: Floats) -> Floats:
        return sums[:, 0] - labels

    return Loss(
        f"{name}_objective",
        lambda sums, labels: values(errors(sums, labels)),
        lambda sums, labels: derivatives(errors(sums, labels))[:, np.newaxis],
    )


def _quantile(share: float) -> Loss:
    return _of_errors(
        "quantile_loss",
        lambda e: np.maximum((1 - share) * e, -share * e),
        lambda e: np.where(e > 0, 1 - share, -share),
    )


def _hinge(margin: float) -> Loss:
    def slack(sums: Floats, labels: Floats) -> Floats:
        return margin - (2 * labels - 1) * sums[:, 0]

    return Loss(
        "binary_classification_hinge_loss_objective",
        lambda sums, labels: np.maximum(slack(sums, labels), 0),
        lambda sums, labels: np.where(slack(sums, labels) > 0, 1 - 2 * labels, 0)[:, np.newaxis],
    )


def _logistic(sums: Floats, labels: Floats) -> Floats:
    column = sums[:, 0]
    return np.asarray(np.logaddexp(0, column) - labels * column)


def _logistic_derivatives(sums: Floats, labels: Floats) -> Floats:
    # tanh does not overflow: logistic(s) = (1 + tanh(s / 2)) / 2
    return np.asarray(0.5 * (1 + np.tanh(0.5 * sums)) - labels[:, np.newaxis])


def _softmax(sums: Floats, labels: Floats) -> Floats:
    shifted = sums - sums.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(sums)), labels.astype(np.intp)])


def _softmax_derivatives(sums: Floats, labels: Floats) -> Floats:
    powers: Floats = np.exp(sums - sums.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    powers[np.arange(len(sums)), labels.astype(np.intp)] -= 1
    return powers
