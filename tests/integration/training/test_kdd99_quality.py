"""The whole path of the training code on the real files: raw gzip to evaluation, as the deployed jobs run it."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.artifact import read_artifact
from training import recordio, schema

ROOT = Path(__file__).parents[3]
KDD99 = Path(os.environ.get("SAGESCALE_SHARED", ROOT.parent / "shared")) / "kdd99"
RECORDIO = "application/x-recordio-protobuf"


def _run(base: Any, *arguments: Any) -> Any:
    command = [sys.executable, "-m", *map(str, arguments)]
    finished = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(base)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A directory laid out as /opt/ml, with channels, model and evaluation."""
    if not (KDD99 / "corrected.gz").exists():
        pytest.skip(f"the KDD99 files are missing: {KDD99}")
    base = tmp_path_factory.mktemp("kdd99")
    for channel, file in (("train", "kddcup.data_10_percent.gz"), ("test", "corrected.gz")):
        (base / channel).mkdir()
        (base / channel / file).symlink_to(KDD99 / file)
    channels = base / "input" / "data"
    _run(base, "training", "preprocess", "--train", base / "train", "--test", base / "test", "--output", channels)
    config = base / "input" / "config"
    config.mkdir()
    hyperparameters = {"predictor_type": "binary_classifier", "feature_dim": str(schema.FEATURE_DIM)}
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters | {"mini_batch_size": "1000"}))
    described = {name: {"ContentType": RECORDIO} for name in ("train", "validation")}
    (config / "inputdataconfig.json").write_text(json.dumps(described))
    _run(base, "training.linear_learner")
    _run(base, "training", "evaluate", "--model", base / "model", "--test", channels / "test", "--output", base)
    return base


def test_kdd99_model_reaches_the_quality_of_linear_models(base: Any) -> None:
    evaluation = json.loads((base / "evaluation.json").read_text())
    assert evaluation["rows"] == 311_029
    assert evaluation["accuracy"] >= 0.92
    assert evaluation["roc_auc"] >= 0.95
    assert evaluation["false_alarm_rate"] <= 0.02


def test_kdd99_channels_hold_every_row(base: Any) -> None:
    summary = json.loads((base / "input" / "data" / "summary" / "summary.json").read_text())
    counts = summary["channels"]
    assert counts["train"]["rows"] + counts["validation"]["rows"] == 494_021
    assert counts["train"]["normal"] + counts["validation"]["normal"] == 97_278
    assert counts["test"] == {"rows": 311_029, "normal": 60_593, "attack": 250_436}


def test_kdd99_scores_do_not_depend_on_the_path_of_a_row(base: Any) -> None:
    """A record encoded alone and the same row of the test channel score the same."""
    model = read_artifact(base / "model")
    features, labels = next(recordio.read_blocks(next((base / "input" / "data" / "test").iterdir()), rows=500))

    with gzip.open(KDD99 / "corrected.gz", "rt") as file:
        for row, label, line in zip(features, labels, file, strict=False):
            *values, name = line.rstrip("\n").split(",")
            record = {
                feature.name: value if feature.vocabulary else float(value)
                for feature, value in zip(schema.FEATURES, values, strict=True)
            }
            assert schema.label_of(name) == label
            alone = model.scores(np.array([schema.encode(record)]))
            assert alone[0] == pytest.approx(model.scores(row[np.newaxis])[0], abs=1e-6)
