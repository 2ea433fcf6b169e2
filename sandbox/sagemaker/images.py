"""Which local command stands in for which container image.

The sandbox pulls no image: the repository's name decides, whatever the registry's account and the tag are. An image
that is not listed is refused by name when a job or a model asks for it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moto.sagemaker.exceptions import ValidationError

from config import algorithms

CDK_ASSETS = re.compile(r"cdk-[a-z0-9]+-container-assets-\d{12}-[a-z0-9-]+")  # the bootstrap stack's repository
IMAGE_URI = re.compile(r"^(?P<registry>[^/]+)/(?P<repository>[^:@]+)(?P<version>[:@].+)?$")

QUALITY_METRIC = r"#quality_metric: host=\S+,(?: epoch=\d+,)?(?: batch=\d+)? {split} {metric} <(?:score|loss)>=(\S+)"


@dataclass(frozen=True, kw_only=True)
class Image:
    """What stands in for one image.

    Parameters
    ----------
    train : tuple of str, optional
        Command of a training job; None: not for training.
    host : callable, optional
        From model directory and port to the command of a model server; None: not for hosting.
    process : bool
        Whether a processing job may run its own entrypoint in it.
    metric_definitions : tuple of (name, regex)
        The metrics an algorithm of Amazon's reports by itself; a script's are those of the request.
    """

    train: tuple[str, ...] | None = None
    host: Callable[[Path, int], list[str]] | None = None
    process: bool = False
    metric_definitions: tuple[tuple[str, str], ...] = ()


def _serving(model_directory: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "serving", "--model-dir", str(model_directory), "--port", str(port)]


def _hosting(framework: str) -> Callable[[Path, int], list[str]]:
    def command(model_directory: Path, port: int) -> list[str]:
        options = ["--framework", framework, "--model-dir", str(model_directory), "--port", str(port)]
        return [sys.executable, "-m", "sandbox.hosting", *options]

    return command


def _toolkit(framework: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "sandbox.toolkit", "--framework", framework)


def _quality_metrics(*metrics: str) -> tuple[tuple[str, str], ...]:
    # The log names the loss function, and the beta of an F score.
    printed = {
        "objective_loss": r"\S+_objective",
        "binary_f_beta": r"binary_f_[\d.]+",
        "macro_f_beta": r"macro_f_[\d.]+",
    }
    return tuple(
        (f"{split}:{metric}", QUALITY_METRIC.format(split=split, metric=printed.get(metric, metric)))
        for split in ("train", "validation", "test")
        for metric in metrics
    )


LINEAR_LEARNER_METRICS = _quality_metrics(  # linear-learner-tuning.html in the SageMaker guide
    "objective_loss",
    "absolute_loss",
    "binary_classification_accuracy",
    "binary_f_beta",
    "dcg",
    "macro_f_beta",
    "macro_precision",
    "macro_recall",
    "mse",
    "multiclass_accuracy",
    "multiclass_top_k_accuracy",
    "precision",
    "r2",
    "recall",
    "rmse",
    "roc_auc_score",
)

XGBOOST_METRICS = tuple(  # `[7]` and a tab come before the metrics of each round
    (f"{channel}:{metric}", rf"\[\d+\].*\t{channel}-{metric}:(\S+)")
    for channel in ("train", "validation")
    for metric in algorithms.XGBOOST_METRICS
)

REGISTRY: dict[str, Image] = {
    "linear-learner": Image(
        train=(sys.executable, "-m", "training.linear_learner"),
        host=_serving,
        metric_definitions=LINEAR_LEARNER_METRICS,
    ),
    "sagemaker-scikit-learn": Image(train=_toolkit("scikit-learn"), process=True, host=_hosting("scikit-learn")),
    "sagemaker-xgboost": Image(
        train=_toolkit("xgboost"), process=True, host=_hosting("xgboost"), metric_definitions=XGBOOST_METRICS
    ),
    "container-assets": Image(host=_serving),  # of the CDK's assets only serving/Dockerfile gets there: sandbox.docker
}


def training_image(uri: str) -> Image:
    """Return the stand-in of a training image, or refuse `uri` with a ValidationError."""
    return _known(uri, "training", lambda image: image.train is not None)


def processing_image(uri: str) -> Image:
    """Return the stand-in of a processing image, or refuse `uri` with a ValidationError."""
    return _known(uri, "processing", lambda image: image.process)


def hosting_image(uri: str) -> Image:
    """Return the stand-in of a hosting image, or refuse `uri` with a ValidationError."""
    return _known(uri, "hosting", lambda image: image.host is not None)


def _known(uri: str, purpose: str, fits: Callable[[Image], bool]) -> Image:
    match = IMAGE_URI.match(uri)
    repository = match["repository"].rsplit("/", 1)[-1] if match else ""
    image = REGISTRY.get("container-assets" if CDK_ASSETS.fullmatch(repository) else repository)
    if image is None or not fits(image):
        known = sorted(name for name, other in REGISTRY.items() if fits(other))
        raise ValidationError(
            f"The sandbox has no local stand-in for the {purpose} image '{uri}'. "
            f"It runs the repositories {', '.join(known)}: use one of them, or deploy this stack to AWS."
        )
    return image
