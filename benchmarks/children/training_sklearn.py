"""A linear model of scikit-learn on the same channels: standardised in float32, the model's own defaults."""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import StandardScaler

from training import recordio

warnings.simplefilter("ignore", ConvergenceWarning)  # with its defaults lbfgs stops after 100 iterations


def read(channel: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a channel as our learner does."""
    blocks = [block for path in sorted(Path(sys.argv[1], channel).iterdir()) for block in recordio.read_blocks(path)]
    return np.concatenate([features for features, _ in blocks]), np.concatenate([labels for _, labels in blocks])


models = {"lbfgs": LogisticRegression(), "sgd": SGDClassifier(loss="log_loss", random_state=0)}
features, labels = read("train")
started = time.perf_counter()
scaler = StandardScaler(copy=False)
model = models[sys.argv[2]].fit(scaler.fit_transform(features), labels)
seconds = time.perf_counter() - started
test_features, test_labels = read("test")
accuracy = float(model.score(scaler.transform(test_features), test_labels))
print(json.dumps({"seconds": seconds, "accuracy": accuracy, "rows": len(labels)}))
