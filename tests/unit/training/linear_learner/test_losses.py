from typing import Any

import numpy as np
import pytest

from training.linear_learner.hyperparameters import LOSSES, parse
from training.linear_learner.losses import loss_of

CASES = [(predictor, loss) for predictor, losses in LOSSES.items() for loss in losses]


def _loss(predictor: Any, loss: Any, **others: Any) -> Any:
    return loss_of(parse({"predictor_type": predictor, "loss": loss, "num_classes": "3"} | others))


@pytest.mark.parametrize(("predictor", "name"), CASES)
def test_derivatives_equal_finite_differences(predictor: Any, name: Any) -> None:
    random = np.random.default_rng(1)
    loss = _loss(predictor, name)
    outputs = 3 if predictor == "multiclass_classifier" else 1
    sums = random.normal(0, 2, (200, outputs))
    labels = {
        "binary_classifier": random.integers(0, 2, 200),
        "multiclass_classifier": random.integers(0, 3, 200),
        "regressor": random.normal(0, 2, 200),
    }[predictor].astype(float)
    derivatives = loss.derivatives(sums, labels)
    for output in range(outputs):
        step = np.zeros_like(sums)
        step[:, output] = 1e-6
        slopes = (loss.values(sums + step, labels) - loss.values(sums - step, labels)) / 2e-6
        np.testing.assert_allclose(derivatives[:, output], slopes, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "others", "error", "value"),
    [
        ("squared_loss", {}, 3.0, 9.0),
        ("absolute_loss", {}, -3.0, 3.0),
        ("huber_loss", {"huber_delta": "2"}, 1.0, 0.5),
        ("huber_loss", {"huber_delta": "2"}, 3.0, 4.0),
        ("quantile_loss", {"quantile": "0.9"}, -2.0, 1.8),
        ("quantile_loss", {"quantile": "0.9"}, 2.0, 0.2),
        ("eps_insensitive_squared_loss", {"loss_insensitivity": "1"}, 0.9, 0.0),
        ("eps_insensitive_absolute_loss", {"loss_insensitivity": "1"}, 1.5, 1.5),
    ],
)
def test_regression_losses_of_known_errors(name: Any, others: Any, error: Any, value: Any) -> None:
    loss = _loss("regressor", name, **others)
    assert loss.values(np.array([[5.0 + error]]), np.array([5.0])) == pytest.approx([value])


def test_logistic_loss_of_far_sums_stays_finite() -> None:
    loss = _loss("binary_classifier", "logistic")
    sums, labels = np.array([[-1e4], [1e4]], np.float32), np.array([1.0, 0.0], np.float32)
    assert loss.values(sums, labels).tolist() == [1e4, 1e4]
    assert loss.derivatives(sums, labels).tolist() == [[-1.0], [1.0]]


def test_hinge_loss_honours_the_margin() -> None:
    loss = _loss("binary_classifier", "hinge_loss", margin="2")
    assert loss.values(np.array([[1.5], [2.5], [1.0]]), np.array([1.0, 1.0, 0.0])).tolist() == [0.5, 0.0, 3.0]
