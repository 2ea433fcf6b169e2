"""Predictions are Linear Learner's, one row or many, and equal x . w + b."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.artifact import LinearModel
from serving.errors import InvalidRowsError
from serving.negotiation import write_json, write_json_lines
from serving.predictors import LinearPredictor

ROWS = st.lists(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3), min_size=1, max_size=5)


def make(predictor_type: Any, loss_type: Any, n_outputs: Any) -> Any:
    random = np.random.default_rng(3)
    return LinearModel(
        predictor_type=predictor_type,
        weights=random.normal(size=(3, n_outputs)).astype(np.float32),
        bias=random.normal(size=n_outputs).astype(np.float32),
        loss_type=loss_type,
    )


MODELS = [
    make("binary_classifier", "logistic", 1),
    make("binary_classifier", "squared_loss", 1),
    make("multiclass_classifier", "softmax_loss", 4),
    make("regressor", "squared_loss", 1),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.predictor_type}-{model.loss_type}")
@given(rows=ROWS)
def test_predictions_are_the_models_scores_and_labels(model: Any, rows: Any) -> None:
    predictions = LinearPredictor(model).predict(np.array(rows))

    scores = model.scores(rows)
    np.testing.assert_allclose([each["score"] for each in predictions], scores, rtol=1e-9, atol=1e-300)
    if model.predictor_type == "regressor":
        assert all(list(each) == ["score"] for each in predictions)
    else:
        assert [each["predicted_label"] for each in predictions] == model.labels(scores).tolist()


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
@pytest.mark.parametrize("n_rows", [1, 2])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.predictor_type}-{model.loss_type}")
def test_sum_that_overflows_is_refused_with_its_row(model: Any, n_rows: Any) -> None:
    rows = np.zeros((n_rows, 3))
    rows[-1] = np.inf * np.sign(model.weights64[:, 0])

    with pytest.raises(InvalidRowsError, match=f"^row {n_rows}: values too large"):
        LinearPredictor(model).predict(rows)


@pytest.mark.parametrize("total", [-1e308, -800.0, 0.0, 800.0, 1e308])
def test_extreme_sums_have_a_logistic(total: Any) -> None:
    model = LinearModel(
        predictor_type="binary_classifier",
        weights=np.ones((1, 1), np.float32),
        bias=np.zeros(1, np.float32),
        loss_type="logistic",
    )
    (one,) = LinearPredictor(model).predict(np.array([[total]]))
    many = LinearPredictor(model).predict(np.array([[total], [total]]))

    assert one["score"] == (0.0 if total < -700 else 1.0 if total > 700 else 0.5)
    assert many == [one, one]


def test_answers_have_the_documented_shapes() -> None:
    binary, multiclass = [{"score": 0.4, "predicted_label": 0}], [{"score": [0.1, 0.9], "predicted_label": 1}]

    assert write_json(binary) == b'{"predictions":[{"score":0.4,"predicted_label":0}]}'
    assert json.loads(write_json(multiclass)) == {"predictions": [{"score": [0.1, 0.9], "predicted_label": 1}]}
    assert write_json_lines(binary * 2) == b'{"score":0.4,"predicted_label":0}\n' * 2
