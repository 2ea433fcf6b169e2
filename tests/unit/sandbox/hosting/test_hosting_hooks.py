import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.hosting.application import HostedScript
from sandbox.hosting.defaults import DEFAULTS
from sandbox.hosting.encodings import EncodingError, decode, encode
from sandbox.hosting.script import ScriptError, load_hooks
from serving.http_head import parse_head

DOUBLE = "def model_fn(d):\n    return 2\ndef predict_fn(data, model):\n    return data * model\n"


def write_script(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder / "code").mkdir()
    (folder / "code" / "inference.py").write_text(text)
    monkeypatch.setenv("SAGEMAKER_PROGRAM", "inference.py")
    return folder


def invoke(hooks: Any, body: bytes, **headers: str) -> tuple[int, Any]:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = parse_head(f"POST /invocations HTTP/1.1\r\nhost: x\r\n{lines}\r\n".encode())
    answer: Any = HostedScript(hooks, hooks.model_fn(".")).handler(head)(body)
    return answer.status, json.loads(answer.body)


def test_script_fills_in_what_it_defines_and_the_framework_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = load_hooks(write_script(tmp_path, DOUBLE, monkeypatch), DEFAULTS["scikit-learn"])
    assert invoke(hooks, b"1,2\n3,4", content_type="text/csv") == (200, [[2.0, 4.0], [6.0, 8.0]])


def test_transform_fn_stands_for_the_three_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "def model_fn(d):\n    return 'm'\n"
        'def transform_fn(m, body, kind, accept):\n    return f\'["{m}", "{kind}"]\', accept\n'
    )
    hooks = load_hooks(write_script(tmp_path, text, monkeypatch), DEFAULTS["scikit-learn"])
    assert invoke(hooks, b"x", content_type="text/csv", accept="application/json") == (200, ["m", "text/csv"])


def test_transform_fn_beside_a_step_it_replaces_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = DOUBLE + "def transform_fn(*a):\n    pass\n"
    with pytest.raises(ScriptError, match="one or the other"):
        load_hooks(write_script(tmp_path, text, monkeypatch), DEFAULTS["scikit-learn"])


def test_missing_script_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGEMAKER_PROGRAM", "serve.py")
    with pytest.raises(ScriptError, match=r"no code/serve\.py"):
        load_hooks(tmp_path, DEFAULTS["xgboost"])


def test_scikit_learn_without_a_script_has_no_loader(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="no default model_fn"):
        load_hooks(tmp_path, DEFAULTS["scikit-learn"]).model_fn(str(tmp_path))


def test_error_of_a_script_is_answered_500_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = DOUBLE.replace("return data * model", "raise KeyError('column')")
    hooks = load_hooks(write_script(tmp_path, text, monkeypatch), DEFAULTS["scikit-learn"])
    assert invoke(hooks, b"1", content_type="text/csv") == (500, {"message": "KeyError: 'column'"})


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [(b"a,b", "text/csv", 400), (b"{", "application/json", 400), (b"1", "image/png", 415)],
)
def test_body_that_is_no_table_is_refused_with_its_status(body: bytes, content_type: str, status: int) -> None:
    with pytest.raises(EncodingError) as caught:
        decode(body, content_type)
    assert caught.value.status == status


@pytest.mark.parametrize("accept", ["application/json", "application/x-npy", "text/csv"])
def test_encoded_array_is_decoded_to_itself(accept: str) -> None:
    array = np.array([[1.5, -2.0], [3.0, 4.25]])
    body, content_type = encode(array, accept)
    assert np.array_equal(decode(body, content_type), array)
