"""Shifting and scaling of features and labels before training, and folding both into the model after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.linear_learner.channels import Channel
from training.linear_learner.hyperparameters import Hyperparameters
from training.linear_learner.machines import Machines

Floats = npt.NDArray[np.float32]
_BLOCK_ROWS = 4096  # a block of KDD99 fits into a processor's cache


@dataclass(frozen=True)
class Scaler:
    """Means and scales of features and label.

    Parameters
    ----------
    mean, scale : ndarray of shape (feature_dim,), float64
    label_mean, label_scale : float
    """

    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    label_mean: float
    label_scale: float

    @classmethod
    def of(cls, channel: Channel, hyperparameters: Hyperparameters, machines: Machines) -> Scaler:
        """Measure every machine's first ``num_point_for_scaler`` rows; a feature that is constant keeps its scale."""
        sample = channel.features[: hyperparameters.num_point_for_scaler]
        labels = channel.labels[: hyperparameters.num_point_for_scaler]
        mean, scale = np.zeros(sample.shape[1]), np.ones(sample.shape[1])
        means, deviations = _moments(sample, machines)
        if _or(hyperparameters.unbias_data, auto=hyperparameters.use_bias):
            mean = means
        if _or(hyperparameters.normalize_data, auto=True):
            scale = np.where(deviations == 0, 1.0, deviations)
        label_mean, label_scale = 0.0, 1.0
        if hyperparameters.predictor_type == "regressor":
            (label_means,), (label_deviations,) = _moments(labels[:, np.newaxis], machines)
            if _or(hyperparameters.unbias_label, auto=hyperparameters.use_bias):
                label_mean = float(label_means)
            if _or(hyperparameters.normalize_label, auto=True):
                label_scale = float(label_deviations) or 1.0
        return cls(mean, scale, label_mean, label_scale)

    def apply(self, channel: Channel) -> Channel:
        """Shift and scale a channel's features in place; return it with labels shifted and scaled."""
        mean, factor = self.mean.astype(np.float32), (1 / self.scale).astype(np.float32)
        for start in range(0, len(channel.features), _BLOCK_ROWS):
            block = channel.features[start : start + _BLOCK_ROWS]
            block -= mean
            block *= factor
        labels = (channel.labels - np.float32(self.label_mean)) / np.float32(self.label_scale)
        return Channel(channel.features, labels)

    def fold(self, weights: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Return weights and bias that give, from raw rows, the labels' own scale.

        Parameters
        ----------
        weights : ndarray of shape (feature_dim, n_outputs)
        bias : ndarray of shape (n_outputs,)
        """
        folded = self.label_scale * weights / self.scale[:, np.newaxis]
        moved = self.label_scale * bias + self.label_mean - self.mean @ folded
        return folded.astype(np.float32), moved.astype(np.float32)


def _moments(sample: Floats, machines: Machines) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean and standard deviation of each column over the rows of all machines."""
    rows = machines.total(len(sample))
    (total,) = machines.sums(sample.sum(axis=0, dtype=np.float64))
    mean = total / rows
    (squares,) = machines.sums(np.square(sample - mean).sum(axis=0))
    return mean, np.sqrt(squares / rows)


def _or(value: bool | None, *, auto: bool) -> bool:
    return auto if value is None else value
