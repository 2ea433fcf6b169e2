"""AWS's scikit-learn container: its worker and transformer with a user's model_fn and predict_fn.

The container's own module (``sagemaker_sklearn_container.serving``) is not on PyPI; these are its steps on
sagemaker-containers, which is: decode, float32, predict, encode. scikit-learn's class is told the model's weights.
"""

import collections
import collections.abc

collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined] # sagemaker-containers is of Python 3.6

import os  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from sagemaker_containers.beta.framework import content_types, encoders, env, transformer, worker  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402


def model_fn(_: str) -> LogisticRegression:
    """Load the model."""
    with np.load(os.environ["BENCH_MODEL"]) as arrays:
        model = LogisticRegression()
        model.classes_, model.n_features_in_ = np.array([0, 1]), len(arrays["weights"])
        model.coef_, model.intercept_ = arrays["weights"].reshape(1, -1), arrays["bias"].reshape(1)
    return model


def input_fn(data: Any, content_type: str) -> Any:
    """Decode as the container's default does; a single CSV row comes out of its decoder without an axis."""
    array = encoders.decode(data, content_type)
    array = array.astype(np.float32) if content_type in content_types.UTF8_TYPES else array
    return array.reshape(1, -1) if array.ndim == 1 else array


def predict_fn(data: Any, model: LogisticRegression) -> Any:
    """Predict as a user who wants scores does."""
    return model.predict_proba(data)


def _make() -> Any:
    served = transformer.Transformer(model_fn=model_fn, input_fn=input_fn, predict_fn=predict_fn)
    served.initialize()
    return worker.Worker(transform_fn=served.transform, module_name=env.ServingEnv().module_name or "model")


app = _make()
