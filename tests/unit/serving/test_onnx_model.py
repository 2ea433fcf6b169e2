from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from serving.artifact import ArtifactError
from serving.errors import RequestError
from serving.onnx_model import OnnxPredictor
from serving.predictors import load_predictor

WEIGHTS = np.array([[2.0], [-1.0], [0.5]], dtype=np.float32)


def save(path: Path, *, rows: str | int = "rows", columns: str | int = 3, outputs: int = 1) -> Path:
    """Write a graph of y = x W, and with a second output its negation."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    made = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, 1])]
    if outputs == 2:
        nodes.append(helper.make_node("Neg", ["y"], ["z"]))
        made.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [rows, 1]))
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, columns])
    graph = helper.make_graph(nodes, "linear", [given], made, [numpy_helper.from_array(WEIGHTS, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def test_one_output_is_the_score(tmp_path: Path) -> None:
    predictor = OnnxPredictor(save(tmp_path / "m.onnx"))
    # 2 * 1 - 1 * 2 + 0.5 * 4 = 2; zeros give 0
    assert predictor.predict(np.array([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]])) == [{"score": 2.0}, {"score": 0.0}]
    assert predictor.n_features == 3


def test_several_outputs_keep_their_names(tmp_path: Path) -> None:
    predictor = OnnxPredictor(save(tmp_path / "m.onnx", outputs=2))
    assert predictor.predict(np.array([[1.0, 0.0, 0.0]])) == [{"y": 2.0, "z": -2.0}]


def test_fixed_number_of_rows_is_asked_for(tmp_path: Path) -> None:
    predictor = OnnxPredictor(save(tmp_path / "m.onnx", rows=1))
    with pytest.raises(RequestError, match="2 rows, this model takes exactly 1"):
        predictor.predict(np.zeros((2, 3)))


def test_unknown_number_of_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="does not say how many columns"):
        OnnxPredictor(save(tmp_path / "m.onnx", columns="any"))


def test_broken_file_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no graph")
    with pytest.raises(ArtifactError, match=r"onnxruntime cannot load m\.onnx"):
        load_predictor(tmp_path)


def test_two_graphs_are_refused(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        save(tmp_path / name)
    with pytest.raises(ArtifactError, match=r"2 \.onnx files"):
        load_predictor(tmp_path)
