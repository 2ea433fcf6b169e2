import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.artifact import read_artifact
from training import recordio
from training.linear_learner.__main__ import train
from training.linear_learner.failure import ClientError

RECORDIO = "application/x-recordio-protobuf"
BINARY = {"predictor_type": "binary_classifier", "mini_batch_size": "100"}
REGRESSOR = {"predictor_type": "regressor", "mini_batch_size": "100", "epochs": "60"}


def _job(
    base: Any, hyperparameters: Any, *, content_type: Any = RECORDIO, hosts: Any = ("algo-1",), **channels: Any
) -> Any:
    """Lay a training job out as SageMaker does; a channel is (features, labels) or the bytes of its file."""
    config = base / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "inputdataconfig.json").write_text(json.dumps({name: {"ContentType": content_type} for name in channels}))
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": hosts[0], "hosts": hosts}))
    for name, rows in channels.items():
        directory = base / "input" / "data" / name
        directory.mkdir(parents=True)
        if isinstance(rows, bytes):
            (directory / "rows").write_bytes(rows)
        else:
            features, labels = (np.asarray(array, np.float32) for array in rows)
            (directory / "rows").write_bytes(
                recordio.encode(features, labels) if content_type == RECORDIO else _csv(features, labels)
            )
    return base


def _csv(features: Any, labels: Any) -> Any:
    lines = [",".join(map(repr, [*map(float, (label, *row))])) for row, label in zip(features, labels, strict=True)]
    return ("\n".join(lines) + "\n").encode()


def _blobs(rows: Any = 4000, seed: Any = 0, noise: Any = 0.05) -> Any:
    """Two overlapping classes in features of very different size; a third feature is constant."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, rows)
    features = np.stack(
        [1e6 + 1e5 * (labels + random.normal(0, 0.4, rows)), 1e-3 * random.normal(0, 1, rows), np.full(rows, 7.0)],
        axis=1,
    )
    flipped = np.where(random.random(rows) < noise, 1 - labels, labels)
    return features.astype(np.float32), flipped.astype(np.float32)


def _accuracy(model: Any, rows: Any) -> Any:
    features, labels = rows
    return (model.labels(model.scores(features)) == labels).mean()


def test_binary_classifier_finds_the_best_line(tmp_path: Path) -> None:
    base = _job(tmp_path, BINARY, train=_blobs(), validation=_blobs(seed=1))
    train(base)
    model = read_artifact(base / "model")
    # Bayes: N(0 or 1, 0.4) cut at 0.5 errs with probability P(z > 1.25) = 0.1056, then 5 % of the labels are flipped
    best = 0.8944 * 0.95 + 0.1056 * 0.05
    assert _accuracy(model, _blobs(20_000, seed=2)) == pytest.approx(best, abs=0.012)
    assert model.threshold == pytest.approx(0.5, abs=0.15)
    assert model.loss_type == "logistic"


def test_csv_and_recordio_give_the_same_bytes(tmp_path: Path) -> None:
    rows = _blobs(1500)
    artifacts: list[Any] = []
    for kind in (RECORDIO, "text/csv", "text/csv;label_size=1"):
        base = _job(tmp_path / str(len(artifacts)), BINARY, content_type=kind, train=rows)
        train(base)
        artifacts.append((base / "model" / "model_algo-1").read_bytes())
    assert artifacts[0] == artifacts[1] == artifacts[2]


def test_regressor_recovers_the_coefficients(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    features = random.normal([100, -3, 0.5], [20, 0.1, 5], (5000, 3)).astype(np.float32)
    labels = features @ np.array([0.5, 30.0, -2.0], np.float32) + 1000
    base = _job(tmp_path, REGRESSOR, train=(features, labels))
    train(base)
    model = read_artifact(base / "model")
    np.testing.assert_allclose(model.weights[:, 0], [0.5, 30.0, -2.0], rtol=0.02)
    np.testing.assert_allclose(model.scores(features), labels, atol=0.5)  # of a spread of about 14


def test_median_regression_ignores_outliers(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    features = random.normal(0, 1, (5000, 1)).astype(np.float32)
    labels = 3 * features[:, 0] + 10
    labels[::10] += 1000
    base = _job(tmp_path, REGRESSOR | {"loss": "absolute_loss"}, train=(features, labels))
    train(base)
    model = read_artifact(base / "model")
    assert np.median(np.abs(model.scores(features) - labels)) < 2  # squared loss would be off by 100


def test_multiclass_classifier_tells_three_classes_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 6000)
    centres = np.array([[0, 0], [4, 0], [0, 4]])
    rows = (centres[labels] + random.normal(0, 0.5, (6000, 2)), labels)
    base = _job(tmp_path, {"predictor_type": "multiclass_classifier", "num_classes": "3"}, train=rows, test=rows)
    train(base)
    model = read_artifact(base / "model")
    assert model.weights.shape == (2, 3)
    assert _accuracy(model, rows) > 0.99
    names = re.findall(r"#quality_metric: host=algo-1, test (\S+) <", capsys.readouterr().out)
    assert names == [
        "multiclass_cross_entropy_objective",
        "multiclass_accuracy",
        "multiclass_top_k_accuracy_3",
        "dcg",
        "macro_recall",
        "macro_precision",
        "macro_f_1.000",
    ]


def test_logged_metrics_are_those_of_the_artifact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    validation = _blobs(seed=1)
    train(_job(tmp_path, BINARY, train=_blobs(), validation=validation))
    output = capsys.readouterr().out
    logged = dict(re.findall(r"#quality_metric: host=algo-1, validation (\S+) <score>=(\S+)", output))
    assert set(logged) == {"binary_classification_accuracy", "binary_f_1.000", "precision", "recall", "roc_auc_score"}
    accuracy = _accuracy(read_artifact(tmp_path / "model"), validation)
    assert float(logged["binary_classification_accuracy"]) == pytest.approx(accuracy)
    losses = re.findall(r"#quality_metric: host=\S+, epoch=(\d+), validation \S+_objective <loss>=(\S+)", output)
    assert [int(epoch) for epoch, _ in losses] == list(range(len(losses)))
    assert float(losses[-1][1]) < float(losses[0][1])


def test_equal_jobs_give_equal_artifacts_and_others_do_not(tmp_path: Path) -> None:
    artifacts: list[Any] = []
    for number, epochs in enumerate(("2", "2", "3")):
        base = _job(tmp_path / str(number), BINARY | {"epochs": epochs}, train=_blobs())
        train(base)
        artifacts.append((base / "model" / "model_algo-1").read_bytes())
    assert artifacts[0] == artifacts[1] != artifacts[2]


def test_training_stops_early_when_nothing_improves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patient = BINARY | {"epochs": "400", "early_stopping_patience": "2"}
    train(_job(tmp_path, patient, train=_blobs(), validation=_blobs(seed=1)))
    epochs = capsys.readouterr().out.count("#early_stopping_criteria_metric")
    assert 3 <= epochs < 100


@pytest.mark.parametrize(
    ("criterion", "metric"), [("precision_at_target_recall", "recall"), ("recall_at_target_precision", "precision")]
)
def test_selection_criteria_hold_their_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], criterion: Any, metric: Any
) -> None:
    target = {"target_recall": "0.97", "target_precision": "0.97"}
    given = BINARY | {"binary_classifier_model_selection_criteria": criterion} | target
    train(_job(tmp_path, given, train=_blobs(noise=0), validation=_blobs(seed=1, noise=0)))
    logged = dict(re.findall(r"validation (\S+) <score>=(\S+)", capsys.readouterr().out))
    assert float(logged[metric]) == pytest.approx(0.97, abs=0.002)
    assert float(logged[metric]) >= 0.97


def test_positive_weight_trades_precision_for_recall(tmp_path: Path) -> None:
    shares = []
    for number, weight in enumerate(("0.2", "1.0", "5.0")):
        given = BINARY | {"positive_example_weight_mult": weight}
        given["binary_classifier_model_selection_criteria"] = "loss_function"  # keeps the threshold at 0.5
        base = _job(tmp_path / str(number), given, train=_blobs())
        train(base)
        model = read_artifact(base / "model")
        assert model.threshold == 0.5
        shares.append(model.labels(model.scores(_blobs()[0])).mean())
    assert shares[0] < shares[1] < shares[2]


def test_l1_and_wd_shrink_the_weights(tmp_path: Path) -> None:
    sizes = []
    for number, given in enumerate(({}, {"wd": "0.1"}, {"l1": "0.1"})):
        base = _job(tmp_path / str(number), BINARY | given, train=_blobs())
        train(base)
        sizes.append(np.abs(read_artifact(base / "model").weights[0, 0]))
    assert sizes[1] < 0.8 * sizes[0]
    assert sizes[2] < 0.8 * sizes[0]


def test_without_bias_the_line_passes_through_the_origin(tmp_path: Path) -> None:
    base = _job(tmp_path, BINARY | {"use_bias": "false"}, train=_blobs())
    train(base)
    assert read_artifact(base / "model").bias.tolist() == [0.0]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_every_optimizer_learns(tmp_path: Path, optimizer: Any) -> None:
    base = _job(tmp_path, BINARY | {"optimizer": optimizer}, train=_blobs())
    train(base)
    assert _accuracy(read_artifact(base / "model"), _blobs(seed=5)) > 0.83


@pytest.mark.parametrize(
    ("hyperparameters", "channels", "reason"),
    [
        ({"feature_dim": "9"}, {}, "'train': rows have 3 features; feature_dim is 9"),
        ({}, {"train": (np.ones((2, 3)), [0, 2])}, "'train': came label 2; allowed for this binary_classifier are"),
        ({}, {"train": (np.ones((2, 3)), [0.5, 1])}, "'train': came label 0.5"),
        ({}, {"train": (np.full((2, 3), np.nan), [0, 1])}, "'train': holds values that are not finite"),
        ({}, {"train": b""}, "No data in channel 'train'"),
        ({}, {"train": b"1,2,3\n"}, "Unable to read RecordIO-protobuf data: rows, record 1"),
        ({}, {"validation": (np.ones((2, 4)), [0, 1])}, "Channels differ in their number of features"),
        ({}, {"extra": _blobs(5)}, "channel 'extra' is not one of Linear Learner's"),
        ({"learning_rate": "1e38", "optimizer": "sgd"}, {}, "Training diverged"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # divergence overflows on its way
def test_what_cannot_be_trained_on_is_refused_by_name(
    tmp_path: Path, hyperparameters: Any, channels: Any, reason: Any
) -> None:
    base = _job(tmp_path, BINARY | hyperparameters, **{"train": _blobs(50), **channels})
    with pytest.raises(ClientError) as caught:
        train(base)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"1,2,3\n0,x,1\n", "Unable to read CSV data: rows: "),
        (b"1,2,3\n0,1\n", "Unable to read CSV data: rows: "),
        (b"1\n0\n", "came one column"),
        (b"1,2,nan\n", "not finite"),
    ],
)
def test_a_broken_csv_is_refused(tmp_path: Path, content: Any, reason: Any) -> None:
    base = _job(tmp_path, BINARY, content_type="text/csv", train=content)
    with pytest.raises(ClientError) as caught:
        train(base)
    assert reason in str(caught.value)


def test_jobs_this_learner_does_not_implement_are_refused(tmp_path: Path) -> None:
    given = BINARY
    with pytest.raises(ClientError, match="came 2 instances, and SAGESCALE_RENDEZVOUS does not name"):
        train(_job(tmp_path / "hosts", given, hosts=("algo-1", "algo-2"), train=_blobs(9)))
    with pytest.raises(ClientError, match="allowed are text/csv, application/x-recordio-protobuf"):
        train(_job(tmp_path / "type", given, content_type="image/png", train=b"x"))
    base = _job(tmp_path / "pipe", given, train=_blobs(9))
    (base / "input/config/inputdataconfig.json").write_text('{"train": {"TrainingInputMode": "Pipe"}}')
    with pytest.raises(ClientError, match="TrainingInputMode came 'Pipe'"):
        train(base)


@pytest.mark.parametrize(("hyperparameters", "code"), [(BINARY, 0), ({}, 2)])
def test_the_process_reports_failure_as_amazons_algorithms_do(tmp_path: Path, hyperparameters: Any, code: Any) -> None:
    base = _job(tmp_path, hyperparameters, train=_blobs(100))
    finished = subprocess.run(
        [sys.executable, "-m", "training.linear_learner"],
        cwd=Path(__file__).parents[4],
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(base)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == code, finished.stderr
    if code:
        failure = (base / "output" / "failure").read_text()
        assert failure.startswith("ClientError: Invalid hyperparameters: predictor_type: missing")
        assert finished.stderr.strip() == failure
    else:
        assert (base / "model" / "model_algo-1").exists()
        assert not (base / "output").exists()
