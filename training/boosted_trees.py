"""Scores of the model that Amazon's XGBoost algorithm trains: the evaluation runs in AWS's XGBoost image for it.

References
----------
SageMaker developer guide, "XGBoost algorithm": the archive holds `xgboost-model`, as `Booster.save_model` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import xgboost

from training.answers import THRESHOLD
from training.job import JobError

MEMBER: Final = "xgboost-model"
PROBABILITIES: Final = ("binary:logistic", "reg:logistic")


class BoostedTrees:
    """A booster that answers with the probability of an attack; raises `JobError` where it answers anything else."""

    threshold = THRESHOLD

    def __init__(self, path: Path) -> None:
        self._booster = xgboost.Booster()
        try:
            self._booster.load_model(bytearray(path.read_bytes()))  # by a name without a suffix it warns
        except xgboost.core.XGBoostError as error:
            raise JobError(f"--model: {MEMBER} does not load: {str(error).splitlines()[-1]}") from error
        learner = json.loads(self._booster.save_config())["learner"]
        objective = learner["objective"]["name"]
        if objective not in PROBABILITIES:
            raise JobError(f"--model: came objective {objective}; KDD99 needs one of {', '.join(PROBABILITIES)}")
        self.n_features: int = self._booster.num_features()

    def scores(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the probability of an attack of each row, shape (n_rows,)."""
        return np.asarray(self._booster.predict(xgboost.DMatrix(features)), dtype=np.float64)
