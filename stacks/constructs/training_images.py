"""Which of AWS's images trains, evaluates and serves what the settings train."""

from __future__ import annotations

from config.training import Training
from stacks.constructs.images import LINEAR_LEARNER, PROCESSING_IMAGE, XGBOOST, PrebuiltImage, prebuilt

ALGORITHMS = {
    "linear-learner": LINEAR_LEARNER,
    "xgboost": XGBOOST,
    "kmeans": prebuilt("kmeans"),
    "pca": prebuilt("pca"),
}


def training_image(training: Training) -> PrebuiltImage:
    """Return the image of the training job.

    Raises
    ------
    ValueError
        AWS has no image of the script's framework in this version; the message lists those it has.
    """
    if not training.script:
        return ALGORITHMS[training.algorithm]
    framework = training.script.framework
    name = "pytorch-training" if framework == "pytorch" else framework
    return prebuilt(name, training.script.version, training.instance_type)


def evaluation_image(training: Training) -> PrebuiltImage:
    """Return the image of the evaluation: where the model needs a library, the image it was trained in."""
    return PROCESSING_IMAGE if training.is_linear_learner else training_image(training)


def hosting_image(training: Training, instance_type: str) -> PrebuiltImage:
    """Return the image that serves what was trained; raises ValueError as `training_image` does."""
    if not training.script:
        return ALGORITHMS[training.algorithm]
    return prebuilt(training.script.framework, training.script.version, instance_type)
