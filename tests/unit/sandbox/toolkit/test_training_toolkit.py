"""What trains in the sandbox: Amazon's XGBoost as AWS documents it, and scripts as AWS's training toolkit runs them."""

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.sagemaker.images import XGBOOST_METRICS
from sandbox.sagemaker.transfer import unpack
from sandbox.toolkit import __main__ as toolkit
from sandbox.toolkit import script

ROWS = np.random.default_rng(5).normal(size=(300, 4)).round(3)
LABELS = (ROWS.sum(axis=1) > 0).astype(int)
CSV = "\n".join(",".join(map(str, [label, *row])) for label, row in zip(LABELS, ROWS.tolist(), strict=True)) + "\n"
SHOW = """
import json, os, sys, beside
shown = {"arguments": sys.argv[1:], "variables": {name: os.environ[name] for name in os.environ if name[:3] == "SM_"}}
with open(os.path.join(os.environ["SM_MODEL_DIR"], "shown.json"), "w") as file:
    json.dump(shown, file)
sys.exit(beside.CODE)
"""


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory laid out as /opt/ml."""
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    for name in ("train", "validation"):
        (tmp_path / "input" / "data" / name).mkdir(parents=True)
        (tmp_path / "input" / "data" / name / "part-0.csv").write_text(CSV)
    (tmp_path / "model").mkdir()
    return tmp_path


def configure(
    base: Path, hyperparameters: dict[str, str], *, hosts: int = 1, host: int = 1, content_type: str = "text/csv"
) -> None:
    config = base / "input" / "config"
    config.mkdir(exist_ok=True, parents=True)
    channels = {name: {"ContentType": content_type} for name in ("train", "validation")}
    resources = {
        "current_host": f"algo-{host}",
        "current_instance_type": "ml.m5.xlarge",
        "hosts": [f"algo-{number}" for number in range(1, hosts + 1)],
        "network_interface_name": "lo",
    }
    contents = {"hyperparameters": hyperparameters, "inputdataconfig": channels, "resourceconfig": resources}
    for name, content in contents.items():
        (config / f"{name}.json").write_text(json.dumps(content))


def test_xgboost_trains_the_librarys_model_and_prints_the_metrics_sagemaker_reads(
    base: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import xgboost  # takes seconds, and every worker imports every file

    given = {"num_round": "4", "eta": "0.5", "objective": "binary:logistic", "eval_metric": "auc,f1"}
    configure(base, {**given, "_tuning_objective_metric": "validation:accuracy"})
    assert toolkit.main(["--framework", "xgboost"]) == 0
    trained = xgboost.Booster(model_file=bytearray((base / "model" / "xgboost-model").read_bytes()))
    same = xgboost.train(
        {"eta": 0.5, "objective": "binary:logistic"}, xgboost.DMatrix(ROWS.astype("f4"), LABELS), num_boost_round=4
    )
    matrix = xgboost.DMatrix(ROWS)
    np.testing.assert_allclose(trained.predict(matrix), same.predict(matrix), atol=1e-6)
    printed = capfd.readouterr().out
    found = {name: re.findall(regex, printed) for name, regex in XGBOOST_METRICS}
    reported = {name: float(values[-1]) for name, values in found.items() if values}
    assert set(reported) == {
        f"{split}:{name}" for split in ("train", "validation") for name in ("auc", "f1", "accuracy")
    }
    accuracy = np.mean((same.predict(matrix) >= 0.5) == LABELS)
    assert reported["validation:accuracy"] == pytest.approx(accuracy, abs=1e-5)


@pytest.mark.parametrize(
    ("hyperparameters", "others", "reason"),
    [
        ({"eta": "0.5"}, {}, "num_round is missing"),
        ({"num_round": "4", "etta": "1"}, {}, "etta is none of its hyperparameters"),
        ({"num_round": "4"}, {"content_type": "text/libsvm"}, "has the content type text/libsvm; the sandbox reads"),
    ],
)
def test_xgboost_job_that_cannot_run_leaves_its_reason(
    base: Path, hyperparameters: dict[str, str], others: dict[str, Any], reason: str
) -> None:
    configure(base, hyperparameters, **others)
    assert toolkit.main(["--framework", "xgboost"]) == 1
    assert reason in (base / "output" / "failure").read_text()


def test_xgboost_on_two_instances_trains_the_model_of_one_that_has_all_rows(tmp_path: Path) -> None:
    import xgboost

    rows = ROWS.round(1)  # so few values that histograms are exact, whoever makes them
    lines = [",".join(map(str, [label, *row])) for label, row in zip(LABELS, rows.tolist(), strict=True)]
    running = []
    for host, share in enumerate((lines[:100], lines[100:]), 1):
        base = tmp_path / f"algo-{host}"
        for name, content in {"train": share, "validation": lines}.items():
            (base / "input" / "data" / name).mkdir(parents=True)
            (base / "input" / "data" / name / "part-0.csv").write_text("\n".join(content) + "\n")
        (base / "model").mkdir()
        configure(base, {"num_round": "4", "eta": "0.5", "objective": "binary:logistic"}, hosts=2, host=host)
        places = {"SAGEMAKER_BASE_DIR": str(base), "SAGESCALE_RENDEZVOUS": str(tmp_path / "rendezvous")}
        command = [sys.executable, "-m", "sandbox.toolkit", "--framework", "xgboost"]
        running.append(
            subprocess.Popen(
                command,
                cwd=Path(__file__).parents[4],
                env={**os.environ, **places},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    printed = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], printed
    assert [len(re.findall(r"\[\d\]\ttrain-logloss", text)) for text in printed] == [4, 0]
    assert not list((tmp_path / "algo-2" / "model").iterdir())
    trained = xgboost.Booster(model_file=bytearray((tmp_path / "algo-1" / "model" / "xgboost-model").read_bytes()))
    parameters = {"eta": 0.5, "objective": "binary:logistic"}
    matrix = xgboost.DMatrix(rows.astype("f4"), LABELS)
    whole, part = (
        xgboost.train(parameters, matrix.slice(list(which)), num_boost_round=4).predict(matrix)
        for which in (range(300), range(100))
    )
    np.testing.assert_allclose(trained.predict(matrix), whole, atol=1e-4)
    assert np.abs(part - whole).max() > 0.01  # the other instance's rows count


def test_xgboost_names_the_channel_whose_rows_are_no_numbers(base: Path) -> None:
    configure(base, {"num_round": "4"})
    (base / "input" / "data" / "validation" / "part-0.csv").write_text("1,a,b,c,d\n")
    assert toolkit.main(["--framework", "xgboost"]) == 1
    assert "channel 'validation' is no CSV of numbers" in (base / "output" / "failure").read_text()


@pytest.fixture
def source(base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files that become the source archive, which is taken from here and not from S3."""
    folder = base / "source"
    folder.mkdir()
    (folder / "fit.py").write_text(SHOW)
    (folder / "beside.py").write_text("CODE = 0\n")

    def fetch(_s3: Any, uri: str, target: Path) -> None:
        assert uri == "s3://bucket/source.tar.gz"
        with tarfile.open(base / "source.tar.gz", "w:gz") as tar:
            for path in folder.iterdir():
                tar.add(path, arcname=path.name)
        unpack(base / "source.tar.gz", target)

    monkeypatch.setattr(script, "fetch", fetch)
    monkeypatch.setattr("boto3.client", lambda _: None)
    configure(
        base,
        {
            "c": "0.5",
            "warm": "true",
            "penalty": '"l2"',
            "depth": "plain text",
            "sagemaker_program": '"fit.py"',
            "sagemaker_submit_directory": '"s3://bucket/source.tar.gz"',
        },
    )
    return folder


def test_script_gets_arguments_and_variables_of_awss_toolkit(base: Path, source: Path) -> None:
    assert toolkit.main(["--framework", "scikit-learn"]) == 0
    shown = json.loads((base / "model" / "shown.json").read_text())
    assert shown["arguments"] == ["-c", "0.5", "--depth", "plain text", "--penalty", "l2", "--warm", "True"]
    variables = shown["variables"]
    assert variables["SM_CHANNEL_TRAIN"] == str(base / "input" / "data" / "train")
    assert variables["SM_MODEL_DIR"] == str(base / "model")
    assert variables["SM_HP_PENALTY"] == "l2"
    assert json.loads(variables["SM_HPS"]) == {"c": 0.5, "depth": "plain text", "penalty": "l2", "warm": True}
    assert (variables["SM_CURRENT_HOST"], json.loads(variables["SM_HOSTS"])) == ("algo-1", ["algo-1"])


def test_script_that_fails_fails_the_job(base: Path, source: Path) -> None:
    (source / "beside.py").write_text("CODE = 3\n")
    assert toolkit.main(["--framework", "xgboost"]) == 3
    assert "ExecuteUserScriptError: fit.py" in (base / "output" / "failure").read_text()


def test_libraries_that_are_not_installed_are_refused_by_name(base: Path, source: Path) -> None:
    (source / "requirements.txt").write_text("numpy>=1\nxgboost-cpu>99\nno-such-library==1.0 # why\n")
    assert toolkit.main(["--framework", "scikit-learn"]) == 1
    assert (
        "requirements.txt wants xgboost-cpu>99, no-such-library==1.0, which"
        in (base / "output" / "failure").read_text()
    )


def test_scikit_learns_container_needs_a_script(base: Path) -> None:
    configure(base, {})
    assert toolkit.main(["--framework", "scikit-learn"]) == 1
    assert "trains a script only" in (base / "output" / "failure").read_text()
