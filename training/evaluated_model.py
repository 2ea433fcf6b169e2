"""The model that is evaluated, read as the endpoint will read it: Linear Learner's, XGBoost's or a script's own.

`serving.artifact` reads Linear Learner's artifact as the model server does. The others need their libraries, so their
evaluation runs in the image they are trained in.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from serving.artifact import ArtifactError, read_artifact
from training.job import JobError

ARCHIVE: Final = "model.tar.gz"
BOOSTED_TREES: Final = "xgboost-model"


class Model(Protocol):
    """What is evaluated; `n_features` is None where only the model itself knows."""

    @property
    def n_features(self) -> int | None:
        """Columns a row must have."""

    @property
    def threshold(self) -> float:
        """From which score on a row is positive."""

    def scores(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
        """Return the score of each row, shape (n_rows,)."""


@dataclass(frozen=True)
class Script:
    """The script that trained the model and will serve it.

    Parameters
    ----------
    source : Path
        Directory that holds its source archive and nothing else.
    entry_point : str
        Its file in there.
    framework : str
        Whose defaults fill in what it leaves out.
    packed : Path
        Directory to hold the model.tar.gz with the script in it, as it will be served.
    """

    source: Path
    entry_point: str
    framework: str
    packed: Path


@contextmanager
def loaded(path: Path, script: Script | None = None) -> Iterator[Model]:
    """Yield the model at `path`, a model.tar.gz or its directory; what is unpacked for it is gone afterwards.

    Raises
    ------
    JobError
        No model, another kind of model, or one that does not load.
    """
    archive = path / ARCHIVE if path.is_dir() else path
    with tempfile.TemporaryDirectory() as folder:
        if script:
            yield _scripted(script, archive, Path(folder))
        elif (trees := _extract(archive, BOOSTED_TREES, Path(folder))) is not None:
            yield import_module("training.boosted_trees").BoostedTrees(trees)
        else:
            yield _linear(path)


def _linear(path: Path) -> Model:
    try:
        model = read_artifact(path)
    except ArtifactError as error:
        raise JobError(f"--model: {error}") from error
    if model.predictor_type != "binary_classifier":
        raise JobError(f"--model: came a {model.predictor_type}; KDD99 needs a binary_classifier")
    return model


def _extract(archive: Path, member: str, target: Path) -> Path | None:
    """Copy one file of an archive, and return None where it holds none of this name."""
    if not archive.is_file():
        return None
    try:
        with tarfile.open(archive, "r:*") as tar:
            for info in tar:
                stream = tar.extractfile(info) if info.name.removeprefix("./") == member else None
                if stream:
                    (target / member).write_bytes(stream.read())
                    return target / member
    except (tarfile.TarError, EOFError, OSError) as error:
        raise JobError(f"--model: {archive.name} is no tar archive: {error}") from error
    return None


def _scripted(script: Script, archive: Path, folder: Path) -> Model:
    module = import_module("training.scripted_model")
    (source,) = script.source.iterdir()  # named by its asset's hash
    packed = module.with_code(archive, source, folder)
    model: Model = module.ScriptedModel(folder / "content", script.entry_point, script.framework)
    script.packed.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(packed, script.packed / ARCHIVE)
    return model
