"""The description of one training run: what the custom resource hands to the workflow.

A run's key is a hash of everything that decides the model: dataset, code, image and hyperparameters. Equal keys mean
equal models, so a key that was approved before is promoted again without training.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aws_cdk.aws_s3_assets import Asset

from config.settings import Hyperparameter, Training
from stacks.constructs.dataset import DatasetFile
from stacks.constructs.images import LINEAR_LEARNER, PROCESSING_IMAGE
from training import schema


def hyperparameters_of(training: Training) -> dict[str, str]:
    """Return the hyperparameters as SageMaker wants them: strings, with feature_dim from the dataset's schema.

    Raises
    ------
    ValueError
        The settings name another feature_dim than the schema's.
    """
    tuned = training.tuning.names if training.tuning else []
    given = {name: value for name, value in training.hyperparameters.items() if name not in tuned}
    if given.get("feature_dim", schema.FEATURE_DIM) != schema.FEATURE_DIM:
        raise ValueError(
            f"training.hyperparameters.feature_dim = {given['feature_dim']}, but the schema encodes a record into "
            f"{schema.FEATURE_DIM} columns: leave it out, it is filled in"
        )
    return {name: _as_text(value) for name, value in sorted({"feature_dim": schema.FEATURE_DIM, **given}.items())}


def _as_text(value: Hyperparameter) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def describe_run(training: Training, *, train: DatasetFile, test: DatasetFile, code: Asset) -> dict[str, Any]:
    """Return the run: its key and what the workflow's jobs need to know."""
    hyperparameters = hyperparameters_of(training)
    decisive = {
        "train": train.identity,
        "test": test.identity,
        "code": code.asset_hash,
        "images": [PROCESSING_IMAGE.tagged, LINEAR_LEARNER.tagged],
        "hyperparameters": hyperparameters,
        **({"tuning": training.tuning.model_dump()} if training.tuning else {}),
    }
    return {
        "key": hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16],
        "train_uri": train.uri,
        "test_uri": test.uri,
        "code_uri": code.s3_object_url,
        "code_file": code.s3_object_key,
        "dataset_hash": hashlib.sha256(f"{train.identity} {test.identity}".encode()).hexdigest(),
        "code_hash": code.asset_hash,
        "hyperparameters": hyperparameters,
    }
