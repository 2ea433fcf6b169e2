"""Models that are not Linear Learner's: XGBoost's artifact, and what a script trained and will serve."""

import json
import tarfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training import evaluate, recordio
from training.evaluated_model import Script, loaded
from training.job import JobError

ROWS = np.random.default_rng(3).normal(size=(400, 4)).astype(np.float32)
LABELS = (ROWS.sum(axis=1) > 0).astype(np.float32)
LOAD = "import joblib\ndef model_fn(model_dir):\n    return joblib.load(model_dir + '/model.joblib')\n"
PROBABILITY = "def predict_fn(data, model):\n    return model.predict_proba(data)\n"
OWN_STEPS = """
import json
import numpy as np
def input_fn(body, content_type):
    assert content_type == "text/csv"
    return np.loadtxt(body.splitlines(), delimiter=",", ndmin=2)
def output_fn(prediction, accept):
    return json.dumps({"predictions": [{"score": float(value)} for value in prediction]}), accept
"""


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    folder = tmp_path / "test"
    folder.mkdir()
    (folder / "part-0000.pbr").write_bytes(recordio.encode(ROWS, LABELS))
    return folder


def pack(archive: Path, **files: str | Path) -> Path:
    archive.parent.mkdir(exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in files.items():
            path = content if isinstance(content, Path) else archive.parents[1] / name
            if isinstance(content, str):
                path.write_text(content)
            tar.add(path, arcname=name.replace("__", "."))
    return archive


def booster(folder: Path, objective: str = "binary:logistic", *, with_suffix: bool = False) -> Path:
    import xgboost  # takes seconds, and every worker imports every file

    trained = xgboost.train({"objective": objective}, xgboost.DMatrix(ROWS, LABELS), num_boost_round=10)
    trained.save_model(folder / "booster.ubj")
    with tarfile.open(folder / "model.tar.gz", "w:gz") as tar:
        tar.add(folder / "booster.ubj", arcname="xgboost-model.ubj" if with_suffix else "xgboost-model")
    return folder


def script(folder: Path, text: str, framework: str = "scikit-learn") -> tuple[Path, Script]:
    joblib.dump(LogisticRegression().fit(ROWS, LABELS), folder / "fitted")
    model = pack(folder / "model" / "model.tar.gz", model__joblib=folder / "fitted")
    pack(folder / "source" / "sourcedir.tar.gz", fit__py=text)
    return model.parent, Script(folder / "source", "fit.py", framework, folder / "packed")


def test_boosters_scores_are_those_of_the_library(tmp_path: Path, channel: Path) -> None:
    import xgboost

    with loaded(booster(tmp_path)) as model:
        evaluation = evaluate.evaluate(model, channel)
    trained = xgboost.Booster(model_file=tmp_path / "booster.ubj")
    predicted = trained.predict(xgboost.DMatrix(ROWS)) >= 0.5
    assert evaluation["accuracy"] == np.mean(predicted == LABELS)
    assert evaluation["accuracy"] > 0.9
    assert evaluation["threshold"] == 0.5


def test_booster_that_answers_no_probability_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(JobError, match="came objective reg:squarederror"),
        loaded(booster(tmp_path, "reg:squarederror")),
    ):
        pass


def test_booster_that_does_not_load_is_refused(tmp_path: Path) -> None:
    pack(tmp_path / "broken" / "model.tar.gz", **{"xgboost-model": "no model"})
    with pytest.raises(JobError, match="xgboost-model does not load"), loaded(tmp_path / "broken"):
        pass


@pytest.mark.parametrize("steps", ["", PROBABILITY, PROBABILITY.replace("(data)", "(data)[:, 1]") + OWN_STEPS])
def test_scripts_model_is_scored_through_its_own_steps(tmp_path: Path, channel: Path, steps: str) -> None:
    path, source = script(tmp_path, LOAD + steps)
    with loaded(path, source) as model:
        evaluation = evaluate.evaluate(model, channel)
    assert evaluation["accuracy"] == LogisticRegression().fit(ROWS, LABELS).score(ROWS, LABELS)


def test_scripts_archive_is_packed_with_the_script_as_it_will_be_served(tmp_path: Path, channel: Path) -> None:
    path, source = script(tmp_path, LOAD)
    options = ["--entry-point", "fit.py", "--framework", "scikit-learn", "--packed", str(tmp_path / "packed")]
    paths = ["--model", path, "--test", channel, "--output", tmp_path / "out", "--source", source.source]
    evaluate.main([*map(str, paths), *options])
    with tarfile.open(tmp_path / "packed" / "model.tar.gz") as tar:
        names = {item.name.removeprefix("./") for item in tar if item.isfile()}
    assert names == {"model.joblib", "code/fit.py"}
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["rows"] == len(ROWS)


def test_requirements_that_are_met_install_nothing(
    tmp_path: Path, channel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("nothing is to be installed"))
    path, source = script(tmp_path, LOAD)
    (tmp_path / "fit.py").write_text(LOAD)
    with tarfile.open(source.source / "sourcedir.tar.gz", "w:gz") as tar:
        (tmp_path / "requirements.txt").write_text("numpy>=1 # met\n\njoblib\n")
        for name in ("fit.py", "requirements.txt"):
            tar.add(tmp_path / name, arcname=name)
    with loaded(path, source) as model:
        assert evaluate.evaluate(model, channel)["rows"] == len(ROWS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "def model_fn(model_dir):\n    return open(model_dir + '/missing')\n",
            "the model does not load: FileNotFound",
        ),
        ("import no_such_library\n", "the model does not load: ModuleNotFoundError: No module named 'no_such_library'"),
        (LOAD + "def predict_fn(data, model):\n    return data\n", "the script's prediction: came"),
        (LOAD + "def predict_fn(data, model):\n    return [0.5]\n", "came 1 entries for 400 rows"),
    ],
)
def test_scripts_model_that_cannot_be_served_is_refused(tmp_path: Path, channel: Path, text: str, reason: str) -> None:
    path, source = script(tmp_path, text)
    with pytest.raises(JobError, match=reason), loaded(path, source) as model:
        evaluate.evaluate(model, channel)


def test_frameworks_defaults_fill_in_what_xgboosts_script_leaves_out(tmp_path: Path, channel: Path) -> None:
    load = "xgboost.Booster(model_file=model_dir + '/xgboost-model.ubj')"
    text = f"import xgboost\ndef model_fn(model_dir):\n    return {load}\n"
    booster(tmp_path, with_suffix=True)
    pack(tmp_path / "source" / "sourcedir.tar.gz", fit__py=text)
    with loaded(tmp_path, Script(tmp_path / "source", "fit.py", "xgboost", tmp_path / "packed")) as model:
        evaluation: dict[str, Any] = evaluate.evaluate(model, channel)
    assert evaluation["accuracy"] > 0.9
