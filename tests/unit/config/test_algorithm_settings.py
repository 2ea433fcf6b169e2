from typing import Any

import pytest

from config.settings import Settings
from config.training import Training

XGBOOST: dict[str, Any] = {"algorithm": "xgboost", "hyperparameters": {"num_round": 50}}
SCRIPT: dict[str, Any] = {"framework": "scikit-learn", "version": "1.9-0", "entry_point": "fit.py"}


@pytest.mark.parametrize(
    ("training", "reason"),
    [
        ({"algorithm": "lightgbm"}, "Input should be 'linear-learner', 'xgboost', 'kmeans' or 'pca'"),
        ({"algorithm": "xgboost"}, "num_round is missing: a whole number from 1 is required"),
        ({**XGBOOST, "hyperparameters": {"num_round": 5, "etta": 1}}, "etta is none of its hyperparameters: num"),
        ({**XGBOOST, "hyperparameters": {"num_round": 1.5}}, r"num_round = 1\.5: a whole number from 1 is allowed"),
        ({**XGBOOST, "hyperparameters": {"num_round": 5, "eta": 2}}, "eta = 2: a number from 0 up to 1 is allowed"),
        (
            {**XGBOOST, "hyperparameters": {"num_round": 5, "subsample": 0}},
            "subsample = 0: a number above 0 up to 1 is allowed",
        ),
        (
            {**XGBOOST, "hyperparameters": {"num_round": 5, "objective": "multi:softmax"}},
            "'multi:softmax': one of binary:logistic, reg:logistic is allowed",
        ),
        ({**XGBOOST, "hyperparameters": {"num_round": 5, "eval_metric": "auc,ndcg"}}, "some of logloss, accuracy, auc"),
        ({"algorithm": "kmeans"}, "hyperparameters of kmeans: k is missing"),
        ({"algorithm": "pca", "hyperparameters": {"num_components": 3}}, "mini_batch_size is missing"),
        ({"algorithm": "kmeans", "hyperparameters": {"k": 3}, "gate": {"at_least": 0.5}}, "gate has no meaning"),
        ({"algorithm": "kmeans", "hyperparameters": {"k": 3}, "tuning": {"integer": {"k": {"min": 2, "max": 3}}}},
         "tuning has no meaning for kmeans, which learns no labels"),
        ({**XGBOOST, "script": SCRIPT}, "algorithm = 'xgboost' and a script exclude each other"),
        ({"script": {**SCRIPT, "entry_point": "fit.ipynb"}}, "its name must end with .py"),
        ({"script": {**SCRIPT, "version": "1.2-1"}}, "older than 3.10"),
        ({"script": {**SCRIPT, "metrics": {"auc": "auc=("}}}, "is no regular expression"),
        ({"script": {**SCRIPT, "metrics": {"auc": "auc=.*"}}}, "captures no value"),
    ],
)  # fmt: skip
def test_training_that_could_not_run_is_refused_with_the_reason(training: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Training.model_validate(training)


@pytest.mark.parametrize(
    ("tuning", "reason"),
    [
        ({"integer": {"num_round": {"min": 0, "max": 9}}}, "num_round = 0: a whole number from 1 is allowed"),
        ({"integer": {"rounds": {"min": 1, "max": 9}}}, "rounds is none of its hyperparameters"),
        ({"categorical": {"booster": ["gbtree", "forest"]}}, "booster = 'forest': one of gbtree"),
        ({"categorical": {"objective": ["reg:logistic"]}}, "objective follows from the data and cannot be tuned"),
        (
            {"objective": "validation:mse", "integer": {"num_round": {"min": 1, "max": 9}}},
            "'validation:mse' is none of the metrics that are reported: validation:logloss",
        ),
    ],
)
def test_search_of_what_xgboost_does_not_know_is_refused(tuning: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Training.model_validate({**XGBOOST, "max_runtime_seconds": 60, "tuning": tuning})


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({}, ("validation:binary_classification_accuracy", "maximize")),
        (XGBOOST, ("validation:logloss", "minimize")),
        ({**XGBOOST, "objective": "validation:auc"}, ("validation:auc", "maximize")),
        ({"script": {**SCRIPT, "metrics": {"loss": r"loss=(\S+)"}}, "objective": "loss", "goal": "minimize"},
         ("loss", "minimize")),
    ],
)  # fmt: skip
def test_search_follows_the_algorithms_metric_in_its_direction(training: dict[str, Any], expected: Any) -> None:
    search: dict[str, Any] = {name: training[name] for name in ("objective", "goal") if name in training}
    rest = {name: value for name, value in training.items() if name not in search}
    name = "eta" if rest else "wd"
    search |= {"continuous": {name: {"min": 0.1, "max": 0.5}}}
    assert Training.model_validate({**rest, "max_runtime_seconds": 60, "tuning": search}).objective == expected


def test_search_of_a_script_names_one_of_its_metrics() -> None:
    search = {"continuous": {"c": {"min": 0.1, "max": 0.5}}}
    with pytest.raises(ValueError, match=r"none: name them in training\.script\.metrics"):
        Training.model_validate({"script": SCRIPT, "max_runtime_seconds": 60, "tuning": search})


def test_searched_hyperparameter_may_be_required() -> None:
    search = {"integer": {"num_round": {"min": 1, "max": 9}}}
    training = Training.model_validate({"algorithm": "xgboost", "max_runtime_seconds": 60, "tuning": search})
    assert training.hyperparameters == {"objective": "binary:logistic"}


def test_fast_container_serves_no_trees() -> None:
    groups = {"project": {"name": "kdd99"}, "dataset": {"train": "a", "test": "b"}}
    with pytest.raises(ValueError, match="serves Linear Learner and ONNX models only"):
        Settings.model_validate({**groups, "training": XGBOOST, "endpoint": {"container": "fast"}})
