"""The description of one training run: what the custom resource hands to the workflow.

A run's key is a hash of everything that decides the model: dataset, code, image and hyperparameters. Equal keys mean
equal models, so a key that was approved before is promoted again without training.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aws_cdk.aws_s3_assets import Asset

from config.algorithms import Hyperparameter
from config.training import Training
from stacks.constructs.dataset import DatasetFile
from stacks.constructs.images import PROCESSING_IMAGE
from stacks.constructs.training_images import training_image
from stacks.constructs.training_script import TrainingScript
from training import schema


def hyperparameters_of(training: Training) -> dict[str, Hyperparameter]:
    """Return the hyperparameters that no search varies, with feature_dim from the dataset's schema where it is wanted.

    Raises
    ------
    ValueError
        The settings name another feature_dim than the schema's.
    """
    tuned = training.tuning.names if training.tuning else []
    given = {name: value for name, value in training.hyperparameters.items() if name not in tuned}
    if "feature_dim" not in training.learner.from_data:
        return given
    if given.get("feature_dim", schema.FEATURE_DIM) != schema.FEATURE_DIM:
        raise ValueError(
            f"training.hyperparameters.feature_dim = {given['feature_dim']}, but the schema encodes a record into "
            f"{schema.FEATURE_DIM} columns: leave it out, it is filled in"
        )
    return {"feature_dim": schema.FEATURE_DIM, **given}


def _as_text(value: Hyperparameter) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def describe_run(
    training: Training, *, train: DatasetFile, test: DatasetFile, code: Asset, script: TrainingScript | None
) -> dict[str, Any]:
    """Return the run: its key and what the workflow's jobs need to know."""
    given = hyperparameters_of(training)
    hyperparameters = {name: _as_text(value) for name, value in sorted(given.items())}
    decisive = {
        "train": train.identity,
        "test": test.identity,
        "code": code.asset_hash,
        "images": [PROCESSING_IMAGE.tagged, training_image(training).tagged],
        "hyperparameters": hyperparameters,
        **({"tuning": training.tuning.model_dump()} if training.tuning else {}),
        **({"script": [script.program, script.asset.asset_hash]} if script else {}),
    }
    return {
        "key": hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16],
        "train_uri": train.uri,
        "test_uri": test.uri,
        "code_uri": code.s3_object_url,
        "code_file": code.s3_object_key,
        "dataset_hash": hashlib.sha256(f"{train.identity} {test.identity}".encode()).hexdigest(),
        "code_hash": script.asset.asset_hash if script else code.asset_hash,
        "hyperparameters": script.hyperparameters(given) if script else hyperparameters,
    }
