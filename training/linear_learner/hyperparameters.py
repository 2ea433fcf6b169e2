"""Linear Learner's hyperparameters: names, types, ranges and defaults as AWS documents them; all arrive as strings.

References
----------
Amazon SageMaker Developer Guide, "Linear learner hyperparameters" (ll_hyperparameters).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, TypeAlias

from training.linear_learner.failure import ClientError

PredictorType: TypeAlias = Literal["binary_classifier", "multiclass_classifier", "regressor"]

LOSSES: Final = {
    "binary_classifier": ("logistic", "hinge_loss"),
    "multiclass_classifier": ("softmax_loss",),
    "regressor": (
        "squared_loss",
        "absolute_loss",
        "eps_insensitive_squared_loss",
        "eps_insensitive_absolute_loss",
        "quantile_loss",
        "huber_loss",
    ),
}
TUNING_OBJECTIVE: Final = "_tuning_objective_metric"  # added by hyperparameter tuning jobs


@dataclass(frozen=True)
class Rule:
    """How a value is read, and what is allowed, in words."""

    convert: Callable[[str], Any]
    allowed: str


def _number(text: str) -> float:
    number = float(text)
    if not abs(number) < float("inf"):
        raise ValueError
    return number


def _between(convert: Callable[[str], Any], low: float, high: float, allowed: str, *, strict: bool = False) -> Rule:
    def read(text: str) -> Any:
        value = convert(text)
        if not (low < value < high if strict else low <= value <= high):
            raise ValueError
        return value

    return Rule(read, allowed)


def _one_of(*values: str) -> Rule:
    return Rule({value: value for value in values}.__getitem__, ", ".join(values))


def _auto_or(rule: Rule) -> Rule:
    return Rule(lambda text: None if text == "auto" else rule.convert(text), f"auto or {rule.allowed}")


_INF = float("inf")
_BOOLEAN = Rule({"true": True, "false": False, "True": True, "False": False}.__getitem__, "true, false")
_POSITIVE_INTEGER = _between(int, 1, _INF, "a positive integer")
_POSITIVE = _between(_number, 0, _INF, "a positive number", strict=True)
_NOT_NEGATIVE = _between(_number, 0, _INF, "a number of 0 or more")
_SHARE = _between(_number, 0, 1, "a number from 0 to 1")
_INNER_SHARE = _between(_number, 0, 1, "a number between 0 and 1", strict=True)
_DECAY = _between(_number, 0, 1 - 1e-9, "a number from 0 to below 1")
_CLASSES = _between(int, 3, 1_000_000, "an integer from 3 to 1000000")
_POSITIVE_WEIGHT = Rule(
    lambda text: None if text == "balanced" else _POSITIVE.convert(text),
    "balanced or a positive number (auto is not implemented by the local Linear Learner)",
)
_ONE_MODEL = Rule({"auto": 1, "1": 1}.__getitem__, "auto, 1 (the local Linear Learner trains one model)")


def _parameter(default: str, rule: Rule) -> Any:
    return field(default=rule.convert(default), metadata={"rule": rule})


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """One training job's hyperparameters; None stands for "auto" (and for "balanced" of the positive weight)."""

    predictor_type: PredictorType = field(metadata={"rule": _one_of(*LOSSES)})
    num_classes: int | None = field(default=None, metadata={"rule": _CLASSES})
    feature_dim: int | None = _parameter("auto", _auto_or(_POSITIVE_INTEGER))
    epochs: int = _parameter("15", _POSITIVE_INTEGER)
    mini_batch_size: int = _parameter("1000", _POSITIVE_INTEGER)
    loss: str | None = _parameter("auto", _auto_or(_one_of(*(name for names in LOSSES.values() for name in names))))
    huber_delta: float = _parameter("1.0", _POSITIVE)
    loss_insensitivity: float = _parameter("0.01", _POSITIVE)
    margin: float = _parameter("1.0", _POSITIVE)
    quantile: float = _parameter("0.5", _INNER_SHARE)
    optimizer: str | None = _parameter("auto", _auto_or(_one_of("sgd", "adam", "rmsprop")))
    learning_rate: float | None = _parameter("auto", _auto_or(_POSITIVE))
    momentum: float | None = _parameter("auto", _auto_or(_DECAY))
    beta_1: float | None = _parameter("auto", _auto_or(_DECAY))
    beta_2: float | None = _parameter("auto", _auto_or(_DECAY))
    use_lr_scheduler: bool = _parameter("true", _BOOLEAN)
    lr_scheduler_step: int | None = _parameter("auto", _auto_or(_POSITIVE_INTEGER))
    lr_scheduler_factor: float | None = _parameter("auto", _auto_or(_INNER_SHARE))
    lr_scheduler_minimum_lr: float | None = _parameter("auto", _auto_or(_POSITIVE))
    wd: float | None = _parameter("auto", _auto_or(_NOT_NEGATIVE))
    l1: float | None = _parameter("auto", _auto_or(_NOT_NEGATIVE))
    use_bias: bool = _parameter("true", _BOOLEAN)
    bias_lr_mult: float | None = _parameter("auto", _auto_or(_POSITIVE))
    bias_wd_mult: float | None = _parameter("auto", _auto_or(_NOT_NEGATIVE))
    init_method: str = _parameter("uniform", _one_of("uniform", "normal"))
    init_scale: float = _parameter("0.07", _POSITIVE)
    init_sigma: float = _parameter("0.01", _POSITIVE)
    init_bias: float = _parameter("0", Rule(_number, "a number"))
    normalize_data: bool | None = _parameter("true", _auto_or(_BOOLEAN))
    normalize_label: bool | None = _parameter("auto", _auto_or(_BOOLEAN))
    unbias_data: bool | None = _parameter("auto", _auto_or(_BOOLEAN))
    unbias_label: bool | None = _parameter("auto", _auto_or(_BOOLEAN))
    num_point_for_scaler: int = _parameter("10000", _POSITIVE_INTEGER)
    early_stopping_patience: int = _parameter("3", _POSITIVE_INTEGER)
    early_stopping_tolerance: float = _parameter("0.001", _POSITIVE)
    positive_example_weight_mult: float | None = _parameter("1.0", _POSITIVE_WEIGHT)
    balance_multiclass_weights: bool = _parameter("false", _BOOLEAN)
    binary_classifier_model_selection_criteria: str | None = field(
        default=None,
        metadata={
            "rule": _one_of(
                "accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision", "loss_function"
            )
        },
    )
    target_recall: float = _parameter("0.8", _SHARE)
    target_precision: float = _parameter("0.8", _SHARE)
    f_beta: float = _parameter("1.0", _POSITIVE)
    accuracy_top_k: int = _parameter("3", _POSITIVE_INTEGER)
    num_calibration_samples: int | None = _parameter("auto", _auto_or(_POSITIVE_INTEGER))
    num_models: int = _parameter("auto", _ONE_MODEL)

    @property
    def loss_type(self) -> str:
        """The loss in use, under the artifact's name for it."""
        return self.loss or LOSSES[self.predictor_type][0]


def parse(raw: Mapping[str, str]) -> Hyperparameters:
    """Read a job's hyperparameters.

    Raises
    ------
    ClientError
        With every problem: an unknown name, a value outside its range, a missing or contradicting one.
    """
    tuned = bool(raw.get(TUNING_OBJECTIVE))
    given = {
        name: str(text)
        for name, text in raw.items()
        if name != TUNING_OBJECTIVE and not (tuned and name == "num_models")  # which tuning makes the original ignore
    }
    rules: dict[str, Rule] = {each.name: each.metadata["rule"] for each in fields(Hyperparameters)}
    problems = [f"{name}: not a hyperparameter of Linear Learner" for name in given if name not in rules]
    values = {}
    for name, rule in rules.items():
        if name in given:
            try:
                values[name] = rule.convert(given[name])
            except (ValueError, KeyError):
                problems.append(f"{name}: came {given[name]!r}; allowed is {rule.allowed}")
    if "predictor_type" not in given:
        problems.append(f"predictor_type: missing; required is one of {rules['predictor_type'].allowed}")
    elif "predictor_type" in values:
        problems += _contradictions(values)
    if problems:
        raise ClientError("Invalid hyperparameters: " + "; ".join(problems))
    return Hyperparameters(**values)


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    problems = []
    predictor_type = values["predictor_type"]
    if predictor_type == "multiclass_classifier" and "num_classes" not in values:
        problems.append(f"num_classes: missing; a multiclass_classifier needs {_CLASSES.allowed}")
    losses = LOSSES[predictor_type]
    if values.get("loss") is not None and values["loss"] not in losses:
        problems.append(f"loss: came {values['loss']!r}; allowed for a {predictor_type} is auto, {', '.join(losses)}")
    if values.get("use_bias") is False:
        problems += [
            f"{name}: came 'true'; without a bias (use_bias false) nothing can take up the mean, allowed is auto, false"
            for name in ("unbias_data", "unbias_label")
            if values.get(name)
        ]
    return problems
