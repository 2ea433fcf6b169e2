import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.artifact import LinearModel, write_artifact
from training import evaluate, recordio
from training.evaluated_model import loaded
from training.job import JobError

ROOT = Path(__file__).parents[3]


def _model(path: Any, weights: Any = (1.0, 0.0), threshold: Any = 0.5, **others: Any) -> Any:
    model = LinearModel(
        **{"predictor_type": "binary_classifier", "loss_type": "logistic"} | others,
        weights=np.array([weights], np.float32).T,
        bias=np.zeros(1, np.float32),
        threshold=threshold,
    )
    write_artifact(model, path / "model.tar.gz")
    return path


def _channel(path: Any, features: Any, labels: Any) -> Any:
    path.mkdir(exist_ok=True)
    content = recordio.encode(np.array(features, np.float32), np.array(labels, np.float32))
    (path / "part-0000.pbr").write_bytes(content)
    return path


def _evaluate(path: Path, test: Path) -> dict[str, Any]:
    with loaded(path) as model:
        return evaluate.evaluate(model, test)


def test_evaluation_counts_by_hand(tmp_path: Path) -> None:
    # sums -2, -1, 1 | 2, 3, -3 of three normal and three attacks; positive from 0 on
    test = _channel(tmp_path / "test", [[-2, 9], [-1, 9], [1, 9], [2, 9], [3, 9], [-3, 9]], [0, 0, 0, 1, 1, 1])
    arguments = ["--model", _model(tmp_path), "--test", test, "--output", tmp_path / "out"]
    evaluate.main([str(argument) for argument in arguments])
    evaluation = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert evaluation.pop("confusion_matrix") == [[2, 1], [1, 2]]
    assert evaluation.pop("labels") == ["normal", "attack"]
    assert evaluation == pytest.approx(
        {
            "accuracy": 4 / 6,
            "f1": 2 / 3,
            "roc_auc": 6 / 9,  # -3 is below all three, 2 and 3 above all three
            "false_alarm_rate": 1 / 3,
            "precision": 2 / 3,
            "recall": 2 / 3,
            "rows": 6,
            "threshold": 0.5,
        }
    )


def test_the_artifacts_threshold_decides(tmp_path: Path) -> None:
    test = _channel(tmp_path / "test", [[-2, 0], [1, 0], [2, 0]], [0, 0, 1])
    assert _evaluate(_model(tmp_path, threshold=0.5), test)["false_alarm_rate"] == 0.5
    assert _evaluate(_model(tmp_path, threshold=0.8), test)["false_alarm_rate"] == 0.0  # logistic(1) = 0.73


def test_several_parts_count_as_one_channel(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(10_000, 2))
    labels = (rows[:, 0] + rows[:, 1] > 0).astype(float)
    one = _evaluate(_model(tmp_path), _channel(tmp_path / "one", rows, labels))
    _channel(tmp_path / "two", rows[:6000], labels[:6000])
    (tmp_path / "two" / "part-0000.pbr").rename(tmp_path / "two" / "part-0001.pbr")
    two = _evaluate(_model(tmp_path), _channel(tmp_path / "two", rows[6000:], labels[6000:]))
    assert one == two


@pytest.mark.parametrize(
    ("features", "labels", "reason"),
    [
        ([[1, 2, 3], [1, 2, 3]], [0, 1], "came 3 features; the model takes 2"),
        ([[1, 2], [1, 2]], [0, 0], "all 2 rows are normal; rows of both labels are needed"),
        ([[1, 2], [1, 2]], [1, 1], "all 2 rows are attack"),
        (np.empty((0, 2)), [], "holds no rows"),
    ],
)
def test_a_channel_that_says_nothing_is_refused(tmp_path: Path, features: Any, labels: Any, reason: Any) -> None:
    with pytest.raises(JobError, match=reason):
        _evaluate(_model(tmp_path), _channel(tmp_path / "test", features, labels))


def test_a_missing_or_foreign_model_is_refused(tmp_path: Path) -> None:
    test = _channel(tmp_path / "test", [[1, 2], [1, 2]], [0, 1])
    with pytest.raises(JobError, match=r"--model: .*holds no model"):
        _evaluate(test, test)
    with pytest.raises(JobError, match="came a regressor"):
        _evaluate(_model(tmp_path, predictor_type="regressor", loss_type="squared_loss"), test)


def test_a_broken_channel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "part-0000.pbr").write_bytes(b"no records")
    with pytest.raises(JobError, match=r"part-0000\.pbr, record 1: no RecordIO magic number"):
        _evaluate(_model(tmp_path), tmp_path / "test")


def test_the_job_runs_from_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.write(ROOT / "training" / "__main__.py", "__main__.py")
        for path in [
            *(ROOT / "training").rglob("*.py"),
            ROOT / "serving" / "__init__.py",
            ROOT / "serving" / "artifact.py",
        ]:
            archive.write(path, path.relative_to(ROOT))
    test = _channel(tmp_path / "test", [[-2, 0], [2, 0]], [0, 1])
    arguments = ["--model", _model(tmp_path), "--test", test, "--output", tmp_path / "out"]
    command = [sys.executable, tmp_path / "code.zip", "evaluate", *arguments]
    subprocess.run([str(item) for item in command], cwd=tmp_path, check=True)
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["accuracy"] == 1.0


def test_an_unknown_job_is_refused() -> None:
    command = [sys.executable, "-m", "training", "predict"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert finished.stderr == "job: came predict; allowed is one of preprocess, evaluate, drift\n"
