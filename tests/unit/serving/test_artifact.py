"""The artifact format: what is written is read back, what AWS wrote is read, what is broken is named."""

import json
import os
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.artifact import ArtifactError, LinearModel, read_artifact, write_artifact

SHARED = Path(os.environ.get("SAGESCALE_SHARED", Path(__file__).parents[4] / "shared"))
AWS_ARTIFACT = SHARED / "linear_learner" / "model.tar.gz"
needs_aws_artifact = pytest.mark.skipif(not AWS_ARTIFACT.exists(), reason=f"{AWS_ARTIFACT} is not here")

KINDS = {
    "binary_classifier": ("logistic", 1),
    "multiclass_classifier": ("softmax_loss", 4),
    "regressor": ("squared_loss", 1),
}


def make_model(predictor_type: Any = "binary_classifier", n_features: Any = 5, seed: Any = 0, **changes: Any) -> Any:
    loss_type, n_outputs = KINDS.get(predictor_type, ("logistic", 1))
    random = np.random.default_rng(seed)
    values = {
        "predictor_type": predictor_type,
        "weights": random.normal(size=(n_features, n_outputs)).astype(np.float32),
        "bias": random.normal(size=n_outputs).astype(np.float32),
        "loss_type": loss_type,
    }
    return LinearModel(**values | changes)


@pytest.mark.parametrize("predictor_type", KINDS)
@pytest.mark.parametrize("name", ["model.tar.gz", "model"])
def test_read_returns_what_was_written(tmp_path: Path, predictor_type: Any, name: Any) -> None:
    model = make_model(predictor_type, threshold=0.25, metrics_params={"f_beta": 1.0})
    write_artifact(model, tmp_path / name)

    back = read_artifact(tmp_path / name)

    assert np.array_equal(back.weights, model.weights)
    assert np.array_equal(back.bias, model.bias)
    assert (back.predictor_type, back.loss_type, back.threshold) == (predictor_type, model.loss_type, 0.25)
    assert (back.output, back.metrics_params) == (model.output, {"f_beta": 1.0})


def test_written_bytes_are_equal_for_equal_models(tmp_path: Path) -> None:
    for name in ("one.tar.gz", "two.tar.gz"):
        write_artifact(make_model(), tmp_path / name)

    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


def test_directory_with_archive_and_unknown_files_is_read(tmp_path: Path) -> None:
    write_artifact(make_model(), tmp_path / "model.tar.gz")
    (tmp_path / "notes.txt").write_text("not ours")

    assert read_artifact(tmp_path).n_features == 5


@needs_aws_artifact
def test_artifact_written_by_aws_scores_x_times_w_plus_b() -> None:
    model = read_artifact(AWS_ARTIFACT)
    rows = np.random.default_rng(1).normal(size=(20, 513))

    assert (model.predictor_type, model.n_features, model.num_classes) == ("regressor", 513, 1)
    assert model.bias[0] == -1055.3748779296875
    assert model.weights[:4, 0] == pytest.approx(
        [4.6760791860833706e-07, -6.739460513927042e-05, 0.9825279712677002, 0.5999525189399719], rel=0
    )
    expected = rows @ model.weights[:, 0].astype(float) + float(model.bias[0])
    np.testing.assert_allclose(model.scores(rows), expected, rtol=1e-12)


@needs_aws_artifact
def test_rewritten_aws_artifact_has_the_same_members(tmp_path: Path) -> None:
    write_artifact(read_artifact(AWS_ARTIFACT), tmp_path / "model.tar.gz")

    ours, theirs = (members(path) for path in (tmp_path / "model.tar.gz", AWS_ARTIFACT))

    assert ours.keys() == theirs.keys()
    assert ours["mx-mod-0000.params"] == theirs["mx-mod-0000.params"]
    for name in ("manifest.json", "additional-params.json"):
        assert json.loads(ours[name]) == json.loads(theirs[name])
    graphs = [json.loads(each["mx-mod-symbol.json"]) for each in (ours, theirs)]
    operators = [[node["op"] for node in graph["nodes"]] for graph in graphs]
    assert operators[0] == operators[1]
    assert graphs[0]["arg_nodes"] == graphs[1]["arg_nodes"]


def members(archive: Any) -> Any:
    with tarfile.open(archive) as files:
        packed = files.extractfile("model_algo-1")
        assert packed
        member = packed.read()
    with zipfile.ZipFile(BytesIO(member)) as inner:
        return {name: inner.read(name) for name in inner.namelist()}


@given(st.lists(st.floats(-1e4, 1e4), min_size=5, max_size=5))
def test_binary_scores_are_the_logistic_of_the_sum(row: Any) -> None:
    model = make_model()
    total = float(np.dot(row, model.weights64[:, 0]) + model.bias64[0])

    (score,) = model.scores([row])

    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(-np.longdouble(total)))
    assert score == pytest.approx(float(expected), rel=1e-9, abs=1e-300)
    assert model.labels(np.array([score]))[0] == (score >= 0.5)


def test_multiclass_scores_are_a_softmax_and_the_label_its_largest() -> None:
    model = make_model("multiclass_classifier")
    rows = np.random.default_rng(2).normal(size=(50, 5)) * 1000

    scores = model.scores(rows)

    np.testing.assert_allclose(scores.sum(axis=1), 1)
    sums = rows @ model.weights64 + model.bias64
    assert np.array_equal(model.labels(scores), sums.argmax(axis=1))


def test_label_is_one_where_the_score_reaches_the_threshold() -> None:
    model = make_model(threshold=0.25)

    assert list(model.labels(np.array([0.2499, 0.25, 0.9]))) == [0, 1, 1]


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 4\) given, the model takes \(n_rows, 5\)"):
        make_model().scores(np.zeros((2, 4)))


def test_every_problem_of_a_model_is_reported_at_once() -> None:
    with pytest.raises(ArtifactError) as caught:
        make_model(weights=np.full((5, 2), np.nan, dtype=np.float32), predictor_type="clusterer")

    for part in ("clusterer", "do not fit", "not finite"):
        assert part in str(caught.value)


def test_missing_artifact_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="does not exist"):
        read_artifact(tmp_path / "model.tar.gz")
    (tmp_path / "readme.md").touch()
    with pytest.raises(ArtifactError, match=r"holds no model: .* found readme\.md"):
        read_artifact(tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_cut_archive_is_refused(tmp_path: Path, keep: Any) -> None:
    path = tmp_path / "model.tar.gz"
    write_artifact(make_model(), path)
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(ArtifactError, match="broken"):
        read_artifact(path)


def test_foreign_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "xgboost-model").write_bytes(b"x")
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "xgboost-model", "xgboost-model")

    with pytest.raises(ArtifactError, match="the archive holds no model_algo-1"):
        read_artifact(tmp_path / "model.tar.gz")


def rewrite_member(directory: Any, name: Any, content: Any) -> None:
    write_artifact(make_model(), directory)
    with zipfile.ZipFile(directory / "model_algo-1") as files:
        contents = {each: files.read(each) for each in files.namelist()}
    contents[name] = content(contents[name])
    with zipfile.ZipFile(directory / "model_algo-1", "w") as files:
        for each, value in contents.items():
            files.writestr(each, value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mx-mod-0000.params", lambda old: old + b"rest", "4 bytes after its end"),
        ("mx-mod-0000.params", lambda old: b"\x13" + old[1:], "starts with 0x113"),
        ("mx-mod-0000.params", lambda old: old[:28] + b"\x01" + old[29:], "storage 1"),
        ("mx-mod-0000.params", lambda old: old.replace(b"fc0_bias", b"fc1_bias"), "arg:fc1_bias"),
        (
            "mx-mod-symbol.json",
            lambda old: old.replace(b"LogisticRegressionOutput", b"SVMOutput"),
            "'SVMOutput', known",
        ),
        ("additional-params.json", lambda old: b"{", "broken"),
        ("additional-params.json", lambda old: b"{}", "predictor_type"),
    ],
)
def test_changed_member_is_refused(tmp_path: Path, name: Any, content: Any, message: Any) -> None:
    rewrite_member(tmp_path, name, content)

    with pytest.raises(ArtifactError, match=message):
        read_artifact(tmp_path)
