from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.linear_learner.calibration import calibrate
from training.linear_learner.hyperparameters import parse

ROWS = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=25)


def _worth(called: Any, positive: Any, criterion: Any) -> Any:
    """The criterion by its definition, for one way of calling rows positive."""
    hits = (called & positive).sum()
    precision = hits / max(called.sum(), 1)
    recall = hits / max(positive.sum(), 1)
    return {
        "accuracy": (called == positive).mean(),
        "f_beta": 5 * hits / max(4 * positive.sum() + called.sum(), 1),  # beta 2
        "precision_at_target_recall": precision if recall >= 0.8 else recall - 1,
        "recall_at_target_precision": recall if precision >= 0.8 else precision - 1,
    }[criterion]


@pytest.mark.parametrize(
    "criterion", ["accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision"]
)
@settings(deadline=None)
@given(ROWS)
def test_no_threshold_is_better_than_the_chosen_one(criterion: Any, rows: Any) -> None:
    scores = np.array([score / 8 for score, _ in rows])
    positive = np.array([flag for _, flag in rows])
    hyperparameters = parse(
        {
            "predictor_type": "binary_classifier",
            "binary_classifier_model_selection_criteria": criterion,
            "f_beta": "2",
        }
    )
    chosen = calibrate(scores, positive, hyperparameters, neutral=0.5)
    assert chosen.worth == pytest.approx(_worth(scores >= chosen.threshold, positive, criterion))
    everything = [_worth(scores >= threshold, positive, criterion) for threshold in [*scores, scores.max() + 1]]
    assert chosen.worth == pytest.approx(max(everything))


def test_the_threshold_nearest_to_neutral_wins_a_tie() -> None:
    hyperparameters = parse({"predictor_type": "binary_classifier"})
    scores, positive = np.array([0.1, 0.4, 0.7, 0.9]), np.array([False, True, False, True])
    # calling the upper one or the upper three is right 3 times of 4; their thresholds are 0.8 and 0.25
    assert calibrate(scores, positive, hyperparameters, neutral=0.5).threshold == pytest.approx(0.25)
    assert calibrate(scores, positive, hyperparameters, neutral=0.6).threshold == pytest.approx(0.8)


def test_neighbouring_floats_are_still_told_apart() -> None:
    low = 0.5
    high = np.nextafter(low, 1)
    hyperparameters = parse({"predictor_type": "binary_classifier"})
    chosen = calibrate(np.array([low, high]), np.array([False, True]), hyperparameters, neutral=0.5)
    assert chosen.threshold == high
