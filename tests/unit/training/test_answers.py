from typing import Any

import pytest

from training.answers import read_answer


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"predictions": [{"score": 0.4, "predicted_label": 1}]}, [(0.4, 1)]),  # Linear Learner's own threshold
        ({"predictions": [{"score": -3.5, "predicted_label": 0}]}, [(-3.5, 0)]),  # hinge loss
        ({"predictions": [{"score": 0.5}, {"score": 0.49}]}, [(0.5, 1), (0.49, 0)]),  # XGBoost
        ([1, 0, 0.25], [(1.0, 1), (0.0, 0), (0.25, 0)]),  # a script's labels or probabilities
        ([[0.2, 0.8], [0.9]], [(0.8, 1), (0.9, 1)]),  # predict_proba, and a column
        ([], []),
    ],
)
def test_score_and_label_are_read_from_each_form(content: Any, expected: Any) -> None:
    assert read_answer(content) == expected


@pytest.mark.parametrize(
    "content", [{}, "no", 7, [7], [-0.1], [None], ["attack"], [[0.1, 0.2, 0.7]], [{"score": 2}], [float("nan")]]
)
def test_what_is_neither_probability_nor_label_is_refused(content: Any) -> None:
    with pytest.raises(ValueError, match="wanted"):
        read_answer(content)


def test_label_that_is_none_of_both_is_refused() -> None:
    with pytest.raises(ValueError, match="wanted"):
        read_answer([{"score": 0.2, "predicted_label": 2}])
