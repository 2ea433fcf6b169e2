"""Mini-batch training of one linear model, with early stopping on validation data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from training.linear_learner.calibration import Calibration, calibrate
from training.linear_learner.channels import Channel
from training.linear_learner.failure import ClientError
from training.linear_learner.hyperparameters import Hyperparameters
from training.linear_learner.losses import Loss, loss_of
from training.linear_learner.machines import Machines
from training.linear_learner.optimizers import Optimizer, Schedule

Floats = npt.NDArray[np.float32]
Report = Callable[[int, dict[str, float]], None]

# Assumed where a hyperparameter is "auto"; the real artifacts' graphs say lr_mult 10, which overshoots with Adam here.
_BIAS_LR_MULT, _BIAS_WD_MULT, _WD, _L1 = 1.0, 0.0, 0.0, 0.0
DIVERGED: Final = "loss or weights are not finite; lower learning_rate"
_SEED: Final = 0  # equal data and hyperparameters give equal models


@dataclass
class Weights:
    """A model's parameters: weights of shape (feature_dim, n_outputs) and bias of shape (n_outputs,)."""

    weights: Floats
    bias: Floats

    def sums(self, features: Floats) -> Floats:
        """Return ``x . w + b`` of every row, shape (n_rows, n_outputs)."""
        return np.asarray(features @ self.weights + self.bias)

    def is_finite(self) -> bool:
        """Tell whether all parameters are finite."""
        return bool(np.isfinite(self.weights).all() and np.isfinite(self.bias).all())

    def copy(self) -> Weights:
        """Return an independent copy."""
        return Weights(self.weights.copy(), self.bias.copy())


def scores_of(sums: Floats, loss_type: str) -> npt.NDArray[np.float64]:
    """Return a binary classifier's scores: probabilities for the logistic loss, else the sums."""
    column = sums[:, 0].astype(np.float64)
    return 0.5 * (1 + np.tanh(0.5 * column)) if loss_type == "logistic" else column


def choose_threshold(model: Weights, channel: Channel, hyperparameters: Hyperparameters) -> Calibration:
    """Calibrate a binary classifier on the first ``num_calibration_samples`` rows; ``auto`` means all."""
    rows = hyperparameters.num_calibration_samples
    scores = scores_of(model.sums(channel.features[:rows]), hyperparameters.loss_type)
    neutral = 0.5 if hyperparameters.loss_type == "logistic" else 0.0
    return calibrate(scores, channel.labels[:rows] > 0, hyperparameters, neutral)


def fit(
    train: Channel,
    validation: Channel | None,
    hyperparameters: Hyperparameters,
    report: Report,
    machines: Machines,
) -> Weights:
    """Train and return the parameters of the best epoch.

    Parameters
    ----------
    train, validation : Channel
        Already scaled. Rows of a mini-batch stand next to each other, so they must be shuffled; the order of the
        mini-batches is random.
    hyperparameters : Hyperparameters
    report : callable
        Gets the epoch, counted from 0, and the losses and the metric that early stopping watches.
    machines : Machines
        All take the same steps: a mini-batch is that of every machine's own rows together, and the loss of the train
        channel that of all rows. The validation channel is the same on all.

    Raises
    ------
    ClientError
        If the loss stops being finite.
    """
    loss = loss_of(hyperparameters)
    random = np.random.default_rng(_SEED)
    model = _start(train.features.shape[1], hyperparameters, random)
    step = _stepper(model, loss, train, hyperparameters, machines)
    rows = machines.total(len(train.labels))
    batches = machines.largest(-(-len(train.labels) // hyperparameters.mini_batch_size))
    best, best_value, waited = model.copy(), np.inf, 0
    for epoch in range(hyperparameters.epochs):
        total = sum(step(batch * hyperparameters.mini_batch_size) for batch in random.permutation(batches).tolist())
        losses = {"train": machines.total(total) / rows}
        if validation is not None:
            losses["validation"] = float(loss.values(model.sums(validation.features), validation.labels).mean())
        if not (np.isfinite([*losses.values()]).all() and model.is_finite()):
            raise ClientError(f"Training diverged in epoch {epoch}: {DIVERGED}")
        watched = machines.total(_watched(model, losses, validation, hyperparameters)) / machines.count
        report(epoch, losses | {"watched": watched})
        improvement = (best_value - watched) / abs(best_value) if np.isfinite(best_value) and best_value else np.inf
        waited = 0 if improvement >= hyperparameters.early_stopping_tolerance else waited + 1
        if watched < best_value:
            best, best_value = model.copy(), watched
        if waited >= hyperparameters.early_stopping_patience:
            break
    return best


def _start(feature_dim: int, hyperparameters: Hyperparameters, random: np.random.Generator) -> Weights:
    outputs = hyperparameters.num_classes if hyperparameters.predictor_type == "multiclass_classifier" else 1
    shape = (feature_dim, outputs or 1)
    if hyperparameters.init_method == "normal":
        weights = random.normal(0, hyperparameters.init_sigma, shape)
    else:
        weights = random.uniform(-hyperparameters.init_scale, hyperparameters.init_scale, shape)
    bias = np.full(shape[1], hyperparameters.init_bias if hyperparameters.use_bias else 0.0)
    return Weights(weights.astype(np.float32), bias.astype(np.float32))


def _stepper(
    model: Weights, loss: Loss, train: Channel, hyperparameters: Hyperparameters, machines: Machines
) -> Callable[[int], float]:
    """Return what takes one step with the mini-batch that starts at a row and returns the sum of its own losses."""
    optimizer, bias_optimizer = (Optimizer(hyperparameters, array) for array in (model.weights, model.bias))
    schedule = Schedule(hyperparameters)
    row_weights = _row_weights(train.labels, hyperparameters, machines)
    decay, sparsity = _or(hyperparameters.wd, _WD), _or(hyperparameters.l1, _L1)
    bias_decay = decay * _or(hyperparameters.bias_wd_mult, _BIAS_WD_MULT)
    bias_factor = _or(hyperparameters.bias_lr_mult, _BIAS_LR_MULT) if hyperparameters.use_bias else 0.0
    steps = 0

    def step(start: int) -> float:
        nonlocal steps
        rows = slice(start, start + hyperparameters.mini_batch_size)
        features, labels = train.features[rows], train.labels[rows]
        sums = model.sums(features)
        derivatives = loss.derivatives(sums, labels).astype(np.float32, copy=False)
        if row_weights is not None:
            derivatives = derivatives * row_weights[rows, np.newaxis]
        own = (features.T @ derivatives, derivatives.sum(axis=0), np.array([len(labels)], np.float32))
        gradients, bias_gradients, rows_of_all = machines.sums(*own)
        gradient = gradients / rows_of_all
        if decay or sparsity:
            gradient += np.float32(decay) * model.weights + np.float32(sparsity) * np.sign(model.weights)
        optimizer.step(gradient, schedule.rate)
        if bias_factor:
            bias_gradient = bias_gradients / rows_of_all + np.float32(bias_decay) * model.bias
            bias_optimizer.step(bias_gradient, schedule.rate * bias_factor)
        steps += 1
        schedule.advance(steps)
        return float(loss.values(sums, labels).sum(dtype=np.float64))

    return step


def _row_weights(labels: Floats, hyperparameters: Hyperparameters, machines: Machines) -> Floats | None:
    if hyperparameters.predictor_type == "binary_classifier" and hyperparameters.positive_example_weight_mult != 1:
        weight = hyperparameters.positive_example_weight_mult
        if weight is None:  # balanced
            positives = machines.total(int(np.count_nonzero(labels)))
            weight = (machines.total(len(labels)) - positives) / max(positives, 1)
        return np.where(labels > 0, np.float32(weight), np.float32(1))
    if hyperparameters.predictor_type == "multiclass_classifier" and hyperparameters.balance_multiclass_weights:
        (counts,) = machines.sums(np.bincount(labels.astype(np.intp), minlength=hyperparameters.num_classes or 0))
        weights = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
        return np.asarray(weights[labels.astype(np.intp)], np.float32)
    return None


def _watched(
    model: Weights, losses: dict[str, float], validation: Channel | None, hyperparameters: Hyperparameters
) -> float:
    """Return what early stopping minimises: the loss, or minus the criterion if the user set one."""
    criterion = hyperparameters.binary_classifier_model_selection_criteria
    if (
        validation is None
        or criterion in (None, "loss_function")
        or hyperparameters.predictor_type != "binary_classifier"
    ):
        return losses.get("validation", losses["train"])
    return -choose_threshold(model, validation, hyperparameters).worth


def _or(value: float | None, auto: float) -> float:
    return auto if value is None else value
