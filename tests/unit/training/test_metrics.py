import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.metrics import confusion_matrix, f_score, ratio, roc_auc

ROWS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30)


@settings(deadline=None)
@given(ROWS)
def test_roc_auc_is_the_share_of_pairs_in_the_right_order(rows: Any) -> None:
    scores = np.array([score for score, _ in rows], float)
    positive = np.array([flag for _, flag in rows])
    pairs = [
        1.0 if above > below else 0.5 if above == below else 0.0
        for above in scores[positive]
        for below in scores[~positive]
    ]
    if pairs:
        assert roc_auc(scores, positive) == pytest.approx(sum(pairs) / len(pairs))
    else:
        assert math.isnan(roc_auc(scores, positive))


def test_confusion_matrix_counts_by_truth_then_prediction() -> None:
    truth = np.array([False, False, False, True, True, True, True])
    predicted = np.array([False, False, True, True, True, True, False])
    assert confusion_matrix(predicted, truth) == [[2, 1], [1, 3]]


def test_f_score_weighs_recall_by_beta() -> None:
    assert f_score(0.5, 1.0) == pytest.approx(2 / 3)
    assert f_score(0.5, 1.0, beta=2) == pytest.approx(5 * 0.5 / (4 * 0.5 + 1))
    assert f_score(0.0, 0.0) == 0.0
    assert ratio(1, 0) == 0.0
