"""Finds the user's inference script and fills in the defaults of what it leaves out.

References
----------
https://sagemaker.readthedocs.io/en/stable/frameworks/sklearn/using_sklearn.html#deploy-a-scikit-learn-model
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HOOKS = ("model_fn", "input_fn", "predict_fn", "output_fn")


class ScriptError(Exception):
    """The script cannot be used; the message says why."""


@dataclass(frozen=True)
class Hooks:
    """The four steps between a request's body and its answer.

    Parameters
    ----------
    model_fn : callable, optional
        From the model's directory to the model.
    input_fn : callable
        From body and content type to what predict_fn takes.
    predict_fn : callable
        From that and the model to a prediction.
    output_fn : callable
        From the prediction and an accepted media type to a body, or to body and media type.
    """

    model_fn: Callable[[str], Any]
    input_fn: Callable[[bytes, str], Any]
    predict_fn: Callable[[Any, Any], Any]
    output_fn: Callable[[Any, str], Any]


def load_hooks(model_directory: Path, defaults: Hooks) -> Hooks:
    """Return the script's hooks, with the framework's own where it has none.

    The script is ``code/$SAGEMAKER_PROGRAM`` of the model; without that variable there is none, as in the containers.

    Raises
    ------
    ScriptError
        The variable names a file that is not there, or a transform_fn beside the steps it replaces.
    """
    program = os.environ.get("SAGEMAKER_PROGRAM")
    if not program:
        return defaults
    path = model_directory / "code" / program
    if not path.is_file():
        raise ScriptError(f"SAGEMAKER_PROGRAM is {program!r}, and the archive holds no code/{program}")
    module = _import(path)
    own = {name: getattr(module, name) for name in HOOKS if hasattr(module, name)}
    transform = getattr(module, "transform_fn", None)
    if transform is None:
        return replace(defaults, **own)
    if len(own) > ("model_fn" in own):
        raise ScriptError(f"{program} has transform_fn and {', '.join(sorted(own))}: one or the other")
    return _with_transform(replace(defaults, **own), transform)


def _with_transform(hooks: Hooks, transform: Callable[[Any, bytes, str, str], Any]) -> Hooks:
    return replace(
        hooks,
        input_fn=lambda body, content_type: (body, content_type),
        predict_fn=lambda request, model: (*request, model),
        output_fn=lambda made, accept: transform(made[2], made[0], made[1], accept),
    )


def _import(path: Path) -> Any:
    sys.path.insert(0, str(path.parent))  # what lies beside it can be imported
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None, "a file that is there has a spec"
    assert spec.loader is not None, "a Python file has a loader"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
