"""Scores of a model that a script trained and will serve: through the script's own `model_fn` and friends.

The script is packed into the model's archive as it will be served, and loaded from there: a model that does not load is
refused here, before any endpoint sees it. Where the script leaves out a step, what its container would do is done, but
without the detour over text. Libraries of a requirements.txt are installed if they are missing, as the containers do.

References
----------
The READMEs of aws/sagemaker-scikit-learn-container, aws/sagemaker-xgboost-container and
aws/sagemaker-pytorch-inference-toolkit.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tarfile
import traceback
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from training.answers import THRESHOLD, read_answer
from training.job import JobError

Floats = npt.NDArray[np.float32]
CODE = "code"


def with_code(model: Path, source: Path, target: Path) -> Path:
    """Unpack a model's archive and the script's source into `target`, and return the archive of both.

    Parameters
    ----------
    model, source : Path
        Archives (.tar.gz).
    target : Path
        Folder; the source goes below `code`.
    """
    content = target / "content"
    for archive, folder in ((model, content), (source, content / CODE)):
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive, "r:*") as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 brought it
            tar.extractall(folder)  # noqa: S202 - filtered where Python can, and the user's own files
    packed = shutil.make_archive(str(target / "model"), "gztar", content)
    return Path(packed)


class ScriptedModel:
    """The unpacked model in `directory` with the script `code/<entry_point>`.

    Raises
    ------
    JobError
        The script cannot be imported, has no model_fn, or its model does not load.
    """

    threshold = THRESHOLD
    n_features = None  # only the script knows

    def __init__(self, directory: Path, entry_point: str, framework: str) -> None:
        self._framework = framework
        _install(directory / CODE / "requirements.txt")
        try:
            self._script = _import(directory / CODE / entry_point)
            self._model = self._script.model_fn(str(directory))
        except Exception as error:  # whatever the script or a pickle raises
            traceback.print_exc()
            raise JobError(f"{entry_point}: the model does not load: {type(error).__name__}: {error}") from error

    def scores(self, features: Floats) -> npt.NDArray[np.float64]:
        """Return the score of each row, shape (n_rows,)."""
        predict: Callable[[Any, Any], Any] = getattr(self._script, "predict_fn", _PREDICT[self._framework])
        prediction = predict(self._input(features), self._model)
        try:
            answers = read_answer(self._output(prediction))
        except ValueError as error:
            raise JobError(f"the script's prediction: {error}") from error
        if len(answers) != len(features):
            raise JobError(f"the script's prediction: came {len(answers)} entries for {len(features)} rows")
        return np.array([score for score, _ in answers])

    def _input(self, features: Floats) -> Any:
        read = getattr(self._script, "input_fn", None)
        if read is None:
            return _DECODED[self._framework](features)
        text = "\n".join(",".join(map(repr, row)) for row in features.tolist())
        return read(text, "text/csv")  # what POST /predictions sends

    def _output(self, prediction: Any) -> Any:
        write = getattr(self._script, "output_fn", None)
        if write is None:
            return prediction.tolist() if hasattr(prediction, "tolist") else prediction
        answer = write(prediction, "application/json")
        return json.loads(answer[0] if isinstance(answer, tuple) else answer)


def _import(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"the source holds no {path.name}")
    sys.path.insert(0, str(path.parent))  # what lies beside it can be imported, as in the containers
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec, "a Python file that is there has a spec"
    assert spec.loader, "and a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _install(requirements: Path) -> None:
    lines = requirements.read_text().splitlines() if requirements.is_file() else []
    if not all(_is_there(line) for line in lines):
        command = [sys.executable, "-m", "pip", "install", "--requirement", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise JobError(f"requirements.txt cannot be installed: {(done.stderr.strip() or 'no reason')[-500:]}")


def _is_there(line: str) -> bool:
    text = line.partition("#")[0].strip()
    try:
        requirement = _requirements().Requirement(text) if text else None
        return requirement is None or version(requirement.name) in requirement.specifier
    except (PackageNotFoundError, ValueError):  # the latter: an option of pip's
        return False


def _requirements() -> ModuleType:
    try:
        return import_module("packaging.requirements")
    except ImportError:
        return import_module("pip._vendor.packaging.requirements")  # an image without packaging has pip


def _dmatrix(features: Floats) -> Any:
    return import_module("xgboost").DMatrix(features)


def _tensor(features: Floats) -> Any:
    return import_module("torch").from_numpy(np.array(features))


def _predict(data: Any, model: Any) -> Any:
    return model.predict(data)


def _forward(data: Any, model: Any) -> Any:
    with import_module("torch").no_grad():
        return model(data)


_DECODED: dict[str, Callable[[Floats], Any]] = {"scikit-learn": np.array, "xgboost": _dmatrix, "pytorch": _tensor}
_PREDICT: dict[str, Callable[[Any, Any], Any]] = {"scikit-learn": _predict, "xgboost": _predict, "pytorch": _forward}
