from typing import Any

import pytest

from training.linear_learner.failure import ClientError
from training.linear_learner.hyperparameters import parse

BINARY = {"predictor_type": "binary_classifier"}


def test_parse_returns_the_documented_defaults() -> None:
    parsed = parse(BINARY)
    documented = {
        "epochs": 15,
        "mini_batch_size": 1000,
        "feature_dim": None,
        "normalize_data": True,
        "learning_rate": None,
        "num_models": 1,
        "positive_example_weight_mult": 1.0,
        "target_recall": 0.8,
        "target_precision": 0.8,
        "early_stopping_patience": 3,
        "early_stopping_tolerance": 0.001,
        "use_bias": True,
        "use_lr_scheduler": True,
        "init_method": "uniform",
        "init_scale": 0.07,
        "num_point_for_scaler": 10_000,
        "accuracy_top_k": 3,
        "f_beta": 1.0,
        "margin": 1.0,
        "quantile": 0.5,
    }
    assert {name: getattr(parsed, name) for name in documented} == documented


def test_parse_reads_strings_into_their_types() -> None:
    parsed = parse(
        BINARY
        | {
            "feature_dim": "124",
            "learning_rate": "1e-3",
            "use_bias": "false",
            "wd": "auto",
            "positive_example_weight_mult": "balanced",
            "loss": "hinge_loss",
        }
    )
    assert (parsed.feature_dim, parsed.learning_rate, parsed.use_bias, parsed.wd) == (124, 0.001, False, None)
    assert parsed.positive_example_weight_mult is None
    assert parsed.loss_type == "hinge_loss"


@pytest.mark.parametrize(
    ("predictor", "loss"),
    [("binary_classifier", "logistic"), ("multiclass_classifier", "softmax_loss"), ("regressor", "squared_loss")],
)
def test_auto_loss_follows_the_predictor_type(predictor: Any, loss: Any) -> None:
    assert parse({"predictor_type": predictor, "num_classes": "3"}).loss_type == loss


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "predictor_type: missing; required is one of binary_classifier, multiclass_classifier, regressor"),
        ({"predictor_type": "tree"}, "predictor_type: came 'tree'; allowed is binary_classifier"),
        (BINARY | {"depth": "3"}, "depth: not a hyperparameter of Linear Learner"),
        (BINARY | {"epochs": "0"}, "epochs: came '0'; allowed is a positive integer"),
        (BINARY | {"epochs": "1.5"}, "epochs: came '1.5'; allowed is a positive integer"),
        (BINARY | {"learning_rate": "0"}, "learning_rate: came '0'; allowed is auto or a positive number"),
        (BINARY | {"learning_rate": "nan"}, "learning_rate: came 'nan'"),
        (BINARY | {"wd": "-1"}, "wd: came '-1'; allowed is auto or a number of 0 or more"),
        (BINARY | {"target_recall": "1.1"}, "target_recall: came '1.1'; allowed is a number from 0 to 1"),
        (BINARY | {"beta_1": "1"}, "beta_1: came '1'; allowed is auto or a number from 0 to below 1"),
        (BINARY | {"use_bias": "yes"}, "use_bias: came 'yes'; allowed is true, false"),
        (BINARY | {"optimizer": "ftrl"}, "optimizer: came 'ftrl'; allowed is auto or sgd, adam, rmsprop"),
        (BINARY | {"num_models": "32"}, "num_models: came '32'; allowed is auto, 1 (the local Linear Learner"),
        (BINARY | {"positive_example_weight_mult": "auto"}, "positive_example_weight_mult: came 'auto'"),
        (BINARY | {"loss": "squared_loss"}, "loss: came 'squared_loss'; allowed for a binary_classifier is auto"),
        (BINARY | {"use_bias": "false", "unbias_data": "true"}, "unbias_data: came 'true'; without a bias"),
        ({"predictor_type": "multiclass_classifier"}, "num_classes: missing"),
        (
            {"predictor_type": "multiclass_classifier", "num_classes": "2"},
            "num_classes: came '2'; allowed is an integer",
        ),
    ],
)
def test_parse_refuses_by_name(given: Any, reason: Any) -> None:
    with pytest.raises(ClientError) as caught:
        parse(given)
    assert reason in str(caught.value)


def test_parse_reports_all_problems_at_once() -> None:
    with pytest.raises(ClientError) as caught:
        parse({"epochs": "none", "depth": "3"})
    assert all(name in str(caught.value) for name in ("epochs", "depth", "predictor_type"))


def test_num_models_is_ignored_under_tuning_as_by_the_original() -> None:
    tuned = {"_tuning_objective_metric": "validation:objective_loss", "num_models": "32"}
    assert parse(BINARY | tuned).num_models == 1
