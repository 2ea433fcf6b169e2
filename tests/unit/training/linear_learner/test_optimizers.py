from typing import Any

import numpy as np
import pytest

from training.linear_learner.hyperparameters import parse
from training.linear_learner.optimizers import Optimizer, Schedule


def _parse(**given: Any) -> Any:
    return parse({"predictor_type": "regressor"} | given)


def _after(gradients: Any, **given: Any) -> Any:
    parameters = np.zeros(1, np.float32)
    optimizer = Optimizer(_parse(**given), parameters)
    for gradient in gradients:
        optimizer.step(np.array([gradient], np.float32), rate=0.1)
    return float(parameters[0])


def test_sgd_adds_momentum() -> None:
    # steps: 1, then 0.5 * 1 + 2 = 2.5; moved 0.1 * (1 + 2.5)
    assert _after([1, 2], optimizer="sgd", momentum="0.5") == pytest.approx(-0.35)


def test_adam_takes_the_step_of_its_paper() -> None:
    # m = 0.1 g, v = 0.001 g^2; corrected m = g, v = g^2: the first step is the rate, whatever the gradient
    assert _after([1e-3], optimizer="adam") == pytest.approx(-0.1, rel=1e-3)
    # second step with g2 = 0: m = 0.09 / 0.19, v = 0.000999 / 0.001999 of g and g^2
    second = (0.09 / 0.19) / np.sqrt(0.000999 / 0.001999)
    assert _after([1, 0], optimizer="adam") == pytest.approx(-0.1 * (1 + second), rel=1e-4)


def test_rmsprop_divides_by_the_running_root() -> None:
    assert _after([2], optimizer="rmsprop") == pytest.approx(-0.1 * 2 / np.sqrt(0.1 * 4), rel=1e-4)


def test_schedule_lowers_the_rate_down_to_its_minimum() -> None:
    schedule = Schedule(
        _parse(learning_rate="1", lr_scheduler_step="2", lr_scheduler_factor="0.5", lr_scheduler_minimum_lr="0.3")
    )
    rates = []
    for steps in range(1, 7):
        schedule.advance(steps)
        rates.append(schedule.rate)
    assert rates == [1, 0.5, 0.5, 0.3, 0.3, 0.3]


def test_schedule_keeps_the_rate_when_switched_off() -> None:
    schedule = Schedule(_parse(learning_rate="1", lr_scheduler_step="1", use_lr_scheduler="false"))
    schedule.advance(1)
    assert schedule.rate == 1
