import tarfile
from pathlib import Path

import pytest

from config.model import Model
from stacks.constructs.model_archive import packed

SAVED_MODEL = ("saved_model.pb", "variables/variables.index")
MXNET = ("model-symbol.json", "model-0000.params", "model-shapes.json")


def write(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"content of {name}".encode())
    return root


def model(path: str, framework: str, **more: object) -> Model:
    environment = {"HF_TASK": "text-classification"} if framework == "huggingface" else {}
    version = {} if framework in {"onnx", "linear-learner"} else {"version": "1"}
    return Model.model_validate({"path": path, "framework": framework, "environment": environment, **version, **more})


def names(model: Model, root: Path) -> list[str]:
    with packed(model, root) as archive, tarfile.open(archive) as tar:
        return tar.getnames()


@pytest.mark.parametrize(
    ("framework", "path", "files", "wanted"),
    [
        ("scikit-learn", "m.joblib", ["m.joblib"], ["code/inference.py", "m.joblib"]),
        ("xgboost", "m.json", ["m.json"], ["m.json"]),
        ("pytorch", "model.pth", ["model.pth"], ["model.pth"]),
        ("tensorflow", "d", [f"d/{name}" for name in SAVED_MODEL], [f"1/{name}" for name in SAVED_MODEL]),
        ("tensorflow", "d", ["d/7/saved_model.pb"], ["7/saved_model.pb"]),
        ("mxnet", "d", [f"d/{name}" for name in MXNET], sorted(MXNET)),
        ("huggingface", "d", ["d/config.json", "d/model.safetensors"], ["config.json", "model.safetensors"]),
        ("onnx", "m.onnx", ["m.onnx"], ["m.onnx"]),
        ("linear-learner", "d", ["d/model_algo-1"], ["model_algo-1"]),
    ],
)
def test_archive_has_the_layout_of_its_container(
    framework: str, path: str, files: list[str], wanted: list[str], tmp_path: Path
) -> None:
    assert names(model(path, framework), write(tmp_path, *files)) == wanted


@pytest.mark.parametrize(
    ("framework", "files", "reason"),
    [
        ("scikit-learn", ["d/readme.md"], r"needs \*\.joblib or \*\.pkl or \*\.pickle, there is readme\.md"),
        ("scikit-learn", ["d/a.joblib", "d/b.pkl"], r"is one file, there are a\.joblib, b\.pkl"),
        ("tensorflow", ["d/model.keras"], r"for Keras, model\.export"),
        ("mxnet", ["d/model-symbol.json"], r"needs model-0000\.params.*needs model-shapes\.json"),
        ("huggingface", ["d/config.json"], r"needs model\.safetensors or"),
        ("onnx", ["d/deep/m.onnx"], r"needs \*\.onnx, there is deep/m\.onnx"),
        ("linear-learner", ["d/m.bin"], "take the model.tar.gz of the training job"),
    ],
)
def test_archive_without_the_expected_files_is_refused_with_the_reason(
    framework: str, files: list[str], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=reason), packed(model("d", framework), write(tmp_path, *files)):
        pass


def test_same_files_give_the_same_bytes_whatever_their_times(tmp_path: Path) -> None:
    pretrained = model("d", "mxnet")
    made = []
    for folder in ("a", "b"):
        with packed(pretrained, write(tmp_path / folder, *(f"d/{name}" for name in MXNET))) as archive:
            made.append(archive.read_bytes())
    assert made[0] == made[1]


def test_users_script_replaces_the_default_and_may_load_other_files(tmp_path: Path) -> None:
    write(tmp_path, "d/weights.npz", "serve.py")
    pretrained = model("d", "scikit-learn", inference_script="serve.py")
    with packed(pretrained, tmp_path) as archive, tarfile.open(archive) as tar:
        script = tar.extractfile("code/inference.py")
        assert script
        assert script.read() == b"content of serve.py"


def test_packed_archive_is_unpacked_checked_and_packed_again(tmp_path: Path) -> None:
    write(tmp_path, "model_algo-1")
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "model_algo-1", "model_algo-1")
    assert names(model("model.tar.gz", "linear-learner"), tmp_path) == ["model_algo-1"]
    with pytest.raises(ValueError, match="there is model_algo-1"):
        names(model("model.tar.gz", "onnx"), tmp_path)


def test_missing_paths_and_broken_archives_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file or folder"):
        names(model("gone", "onnx"), tmp_path)
    write(tmp_path, "m.tar.gz", "m.joblib")
    with pytest.raises(ValueError, match="is no tar archive"):
        names(model("m.tar.gz", "onnx"), tmp_path)
    with pytest.raises(ValueError, match=r"inference_script = 'gone\.py'"):
        names(model("m.joblib", "scikit-learn", inference_script="gone.py"), tmp_path)
