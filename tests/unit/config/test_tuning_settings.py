from typing import Any

import pytest

from config.training import Training
from config.tuning import Tuning

RATE = {"continuous": {"learning_rate": {"min": 0.001, "max": 0.1}}}


@pytest.mark.parametrize(
    ("tuning", "reason"),
    [
        ({"continuous": {"wd": {"min": 1, "max": 0.1}}}, r"min 1\.0 is not below max 0\.1"),
        ({"integer": {"epochs": {"min": 9, "max": 3}}}, "min 9 is not below max 3: exchange them"),
        ({"continuous": {"wd": {"min": 0, "max": 1, "scale": "logarithmic"}}}, "needs min above 0"),
        ({"continuous": {"b": {"min": 0, "max": 1, "scale": "reverse_logarithmic"}}}, "0 <= min < max < 1"),
        ({}, "0 ranges; a tuning job searches 1 to 30"),
        ({**RATE, "categorical": {"learning_rate": ["1"]}}, "learning_rate has two ranges"),
        ({**RATE, "max_jobs": 2, "max_parallel_jobs": 3}, "max_parallel_jobs 3 is above max_jobs 2"),
        ({**RATE, "strategy": "grid"}, "strategy grid takes categorical ranges only"),
        ({"strategy": "grid", "categorical": {"optimizer": ["a", "b"]}}, "max_jobs must be 2, it is 8"),
        ({**RATE, "strategy": "hyperband", "early_stopping": True}, "leave early_stopping out"),
    ],
)
def test_search_aws_would_refuse_is_refused_with_the_reason(tuning: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Tuning.model_validate(tuning)


def test_waves_of_a_search_count_against_the_time_of_a_deploy() -> None:
    search = {**RATE, "max_jobs": 9, "max_parallel_jobs": 4}  # three waves
    training = Training.model_validate({"tuning": search, "max_runtime_seconds": 60})
    assert training.longest_fit_seconds == 3 * (60 + 240)


def test_what_follows_from_the_data_cannot_be_tuned() -> None:
    search = {"categorical": {"predictor_type": ["regressor"]}}
    with pytest.raises(ValueError, match="predictor_type follows from the data"):
        Training.model_validate({"tuning": search, "max_runtime_seconds": 60})
