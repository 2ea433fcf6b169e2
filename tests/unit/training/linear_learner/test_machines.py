"""Several machines, each a process of its own, train one model on the rows of all."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from serving.artifact import LinearModel, read_artifact
from training import recordio

BATCH = 100
GIVEN = {"predictor_type": "binary_classifier", "epochs": "4", "positive_example_weight_mult": "balanced"}
Rows = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def blobs(rows: int, seed: int) -> Rows:
    """Two overlapping classes, a third of them positive, in features of very different size."""
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 1 / 3).astype(np.float32)
    features = np.stack([1e3 + 1e2 * (labels + random.normal(0, 0.4, rows)), random.normal(0, 1e-3, rows)], axis=1)
    return features.astype(np.float32), labels


def machine(base: Path, host: str, hosts: list[str], given: dict[str, str], train: Rows) -> subprocess.Popen[str]:
    """Start one machine of a job on its own rows and the same validation rows as all others."""
    config = base / host / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(given))
    (config / "inputdataconfig.json").write_text(json.dumps({"train": {}, "validation": {}}))
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": host, "hosts": hosts}))
    for name, (features, labels) in {"train": train, "validation": blobs(1_000, 9)}.items():
        channel = base / host / "input" / "data" / name
        channel.mkdir(parents=True)
        (channel / "rows").write_bytes(recordio.encode(features, labels) if len(labels) else b"")
    meeting = str(base / "rendezvous")
    return subprocess.Popen(
        [sys.executable, "-m", "training.linear_learner"],
        cwd=Path(__file__).parents[4],
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(base / host), "SAGESCALE_RENDEZVOUS": meeting},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(base: Path, given: dict[str, str], *shares: Rows) -> list[tuple[int, str]]:
    """Train on one machine a share; return exit code and output of each."""
    hosts = [f"algo-{number}" for number in range(1, len(shares) + 1)]
    started = [machine(base, host, hosts, given, share) for host, share in zip(hosts, shares, strict=True)]
    return [(process.returncode, output) for process in started for output in [process.communicate(timeout=120)[0]]]


def trained(base: Path, mini_batch_size: int, *shares: Rows, **given: str) -> LinearModel:
    ended = run(base, {**GIVEN, "mini_batch_size": str(mini_batch_size), **given}, *shares)
    assert [code for code, _ in ended] == [0] * len(shares), ended
    assert [path.parent.parent.name for path in base.glob("algo-*/model/model_algo-1")] == ["algo-1"]
    assert all("#quality_metric" not in output for _, output in ended[1:])
    return read_artifact(base / "algo-1" / "model")


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_machines_train_the_model_of_one_that_has_the_rows_of_all(tmp_path: Path, optimizer: str) -> None:
    first, second = blobs(20 * BATCH, 1), blobs(20 * BATCH, 2)
    batches = [
        tuple(array[start : start + BATCH] for array in share)
        for start in range(0, 20 * BATCH, BATCH)
        for share in (first, second)
    ]
    whole = (np.concatenate([features for features, _ in batches]), np.concatenate([labels for _, labels in batches]))
    two = trained(tmp_path / "two", BATCH, first, second, optimizer=optimizer)
    one = trained(tmp_path / "one", 2 * BATCH, whole, optimizer=optimizer)
    np.testing.assert_allclose(two.weights, one.weights, rtol=1e-3)
    np.testing.assert_allclose(two.bias, one.bias, rtol=1e-3)
    alone = trained(tmp_path / "alone", BATCH, first, optimizer=optimizer)
    assert not np.allclose(two.weights, alone.weights, rtol=1e-3)  # the other's rows count


def test_machines_with_unequal_shares_end_together(tmp_path: Path) -> None:
    model = trained(tmp_path, BATCH, blobs(2_000, 1), blobs(250, 2), blobs(10, 3))
    features, labels = blobs(5_000, 4)
    assert (model.labels(model.scores(features)) == labels).mean() > 0.85


def test_equal_jobs_of_three_machines_give_equal_artifacts(tmp_path: Path) -> None:
    shares = [blobs(500, seed) for seed in range(3)]
    for name in ("a", "b"):
        trained(tmp_path / name, BATCH, *shares)
    first, second = ((tmp_path / name / "algo-1" / "model" / "model_algo-1").read_bytes() for name in ("a", "b"))
    assert first == second


def test_machine_that_ends_fails_the_others_with_the_reason(tmp_path: Path) -> None:
    given = {**GIVEN, "epochs": "1000000", "early_stopping_patience": "1000000"}
    shares = [blobs(500, seed) for seed in range(2)]
    first, second = (machine(tmp_path, host, ["algo-1", "algo-2"], given, rows) for host, rows in _named(shares))
    assert first.stdout
    while "completed" not in first.stdout.readline():
        pass
    second.kill()
    second.communicate()
    output: Any = first.communicate(timeout=120)[0]
    assert first.returncode == 1
    assert "another instance of the job has ended" in output


def _named(shares: list[Rows]) -> list[tuple[str, Rows]]:
    return [(f"algo-{number}", rows) for number, rows in enumerate(shares, 1)]
