"""Amazon's built-in algorithms that are trained by name: what they read, what they take, how a search judges them.

Names, ranges and what is required are those of the developer guide. Linear Learner's hyperparameters are checked by
its own job. Of XGBoost's objectives only those remain that make a probability of two classes, which is what the
evaluation, the gate and the API understand.

References
----------
SageMaker developer guide, "XGBoost hyperparameters", "Tune an XGBoost Model", "K-Means Hyperparameters",
"PCA Hyperparameters" and each algorithm's "Input/Output Interface".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

AlgorithmName = Literal["linear-learner", "xgboost", "kmeans", "pca"]
Goal = Literal["maximize", "minimize"]
Hyperparameter = str | bool | int | float

RECORDIO = "application/x-recordio-protobuf"
CSV = "text/csv"  # the label is the first column, and there is no header
CSV_WITHOUT_LABEL = "text/csv;label_size=0"


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`; with `above`, `low` itself is not allowed."""

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    above: bool = False

    def problem(self, value: Hyperparameter) -> str | None:
        """Return what is allowed instead of `value`, or None where it is."""
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except ValueError:
            number = math.nan
        inside = self.low < number <= self.high if self.above else self.low <= number <= self.high
        return None if inside and not (self.whole and number % 1) else str(self)

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        low = "" if self.low == -math.inf else f" {'above' if self.above else 'from'} {self.low:g}"
        high = "" if self.high == math.inf else f" up to {self.high:g}"
        return kind + low + high


@dataclass(frozen=True)
class Choice:
    """One of some words, or with `several` a list of them with commas between."""

    words: tuple[str, ...]
    several: bool = False

    def problem(self, value: Hyperparameter) -> str | None:
        """Return what is allowed instead of `value`, or None where it is."""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        given = text.split(",") if self.several else [text]
        return None if set(given) <= set(self.words) else str(self)

    def __str__(self) -> str:
        return f"{'some' if self.several else 'one'} of {', '.join(self.words)}"


@dataclass(frozen=True)
class Text:
    """What only the algorithm itself can read."""

    def problem(self, _: Hyperparameter) -> None:
        """Allow any value."""


Rule = Number | Choice | Text


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """What the settings must know of one algorithm.

    Parameters
    ----------
    content_type : str
        Of its channels.
    labelled : bool
        Whether it learns labels, so that its model can be evaluated and gated.
    rules : Mapping[str, Rule], optional
        Its hyperparameters; None where its job checks them.
    required : tuple of str
        Hyperparameters without a default.
    defaults : Mapping
        What is set where the settings say nothing.
    from_data : frozenset of str
        Hyperparameters that follow from the data, so that no search may vary them.
    objectives : Mapping[str, Goal]
        Metrics a search can follow, the default first; empty where the job checks them.
    """

    content_type: str
    labelled: bool = True
    rules: Mapping[str, Rule] | None = None
    required: tuple[str, ...] = ()
    defaults: Mapping[str, Hyperparameter] = field(default_factory=dict)
    from_data: frozenset[str] = frozenset()
    objectives: Mapping[str, Goal] = field(default_factory=dict)

    def problems(self, given: Mapping[str, Hyperparameter], searched: Iterable[str] = ()) -> list[str]:
        """Return what is wrong with hyperparameters of which some are `searched` by a tuning job."""
        if self.rules is None:
            return []
        missing = [name for name in self.required if name not in given and name not in set(searched)]
        found = [f"{name} is missing: {self.rules[name]} is required" for name in missing]
        return found + self.problems_of_ranges({name: (value,) for name, value in given.items()})

    def problems_of_ranges(self, bounds: Mapping[str, Iterable[Hyperparameter]]) -> list[str]:
        """Return what is wrong with the ends of ranges, or with single values, by hyperparameter."""
        rules = self.rules or {}
        unknown = [name for name in bounds if name not in rules]
        found = [f"{name} is none of its hyperparameters: {', '.join(rules)}" for name in unknown]
        for name in (name for name in bounds if name in rules):
            allowed = [(value, rules[name].problem(value)) for value in bounds[name]]
            found += [f"{name} = {value!r}: {rule} is allowed" for value, rule in allowed if rule]
        return found


_SHARE = Number(0, 1)
_POSITIVE_SHARE = Number(0, 1, above=True)
_FLAG = Number(0, 1, whole=True)
_COUNT = Number(1, whole=True)
_NOT_NEGATIVE = Number(0)
_BOOLEAN = Choice(("true", "false"))

XGBOOST_METRICS: dict[str, Goal] = {  # those of two classes
    "logloss": "minimize",
    "accuracy": "maximize",
    "auc": "maximize",
    "aucpr": "maximize",
    "balanced_accuracy": "maximize",
    "error": "minimize",
    "f1": "maximize",
    "mae": "minimize",
    "precision": "maximize",
    "recall": "maximize",
    "rmse": "minimize",
}
_XGBOOST: dict[str, Rule] = {
    "num_round": _COUNT,
    "alpha": _NOT_NEGATIVE,
    "base_score": _NOT_NEGATIVE,
    "booster": Choice(("gbtree", "gblinear", "dart")),
    "colsample_bylevel": _POSITIVE_SHARE,
    "colsample_bynode": _POSITIVE_SHARE,
    "colsample_bytree": _POSITIVE_SHARE,
    "early_stopping_rounds": _COUNT,
    "eta": _SHARE,
    "eval_metric": Choice(tuple(XGBOOST_METRICS), several=True),
    "gamma": _NOT_NEGATIVE,
    "grow_policy": Choice(("depthwise", "lossguide")),
    "interaction_constraints": Text(),
    "lambda": _NOT_NEGATIVE,
    "lambda_bias": _SHARE,
    "max_bin": Number(0, whole=True),
    "max_delta_step": _NOT_NEGATIVE,
    "max_depth": Number(0, whole=True),
    "max_leaves": Number(0, whole=True),
    "min_child_weight": _NOT_NEGATIVE,
    "monotone_constraints": Text(),
    "normalize_type": Choice(("tree", "forest")),
    "nthread": _COUNT,
    "num_parallel_tree": _COUNT,
    "objective": Choice(("binary:logistic", "reg:logistic")),
    "one_drop": _FLAG,
    "rate_drop": _SHARE,
    "sample_type": Choice(("uniform", "weighted")),
    "scale_pos_weight": Number(0, above=True),
    "seed": Number(-(2**31) + 1, 2**31 - 2, whole=True),
    "skip_drop": _SHARE,
    "subsample": _POSITIVE_SHARE,
    "tree_method": Choice(("auto", "exact", "approx", "hist")),
    "verbosity": Number(0, 3, whole=True),
}
_KMEANS: dict[str, Rule] = {
    "feature_dim": _COUNT,
    "k": _COUNT,
    "epochs": _COUNT,
    "eval_metrics": Text(),
    "extra_center_factor": Text(),
    "half_life_time_size": Number(0, whole=True),
    "init_method": Choice(("random", "kmeans++")),
    "local_lloyd_init_method": Choice(("random", "kmeans++")),
    "local_lloyd_max_iter": _COUNT,
    "local_lloyd_num_trials": Text(),
    "local_lloyd_tol": _SHARE,
    "mini_batch_size": _COUNT,
}
_PCA: dict[str, Rule] = {
    "feature_dim": _COUNT,
    "mini_batch_size": _COUNT,
    "num_components": _COUNT,
    "algorithm_mode": Choice(("regular", "randomized")),
    "extra_components": Number(-1, whole=True),
    "subtract_mean": _BOOLEAN,
}
ALGORITHMS: Mapping[AlgorithmName, Algorithm] = {
    "linear-learner": Algorithm(
        content_type=RECORDIO,
        defaults={"predictor_type": "binary_classifier", "mini_batch_size": 1000},
        from_data=frozenset({"feature_dim", "predictor_type", "num_classes"}),
        objectives={"validation:binary_classification_accuracy": "maximize"},
    ),
    "xgboost": Algorithm(
        content_type=CSV,
        rules=_XGBOOST,
        required=("num_round",),
        defaults={"objective": "binary:logistic"},
        from_data=frozenset({"objective"}),
        objectives={f"validation:{metric}": goal for metric, goal in XGBOOST_METRICS.items()},
    ),
    "kmeans": Algorithm(
        content_type=CSV_WITHOUT_LABEL,
        labelled=False,
        rules=_KMEANS,
        required=("k",),
        from_data=frozenset({"feature_dim"}),
    ),
    "pca": Algorithm(
        content_type=CSV_WITHOUT_LABEL,
        labelled=False,
        rules=_PCA,
        required=("mini_batch_size", "num_components"),
        from_data=frozenset({"feature_dim"}),
    ),
}
