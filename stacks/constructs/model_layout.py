"""What a model.tar.gz must hold for the container that serves it, framework by framework.

Names are looked at, contents are not: nothing is unpickled, imported or parsed.

References
----------
The READMEs of the inference toolkits: aws/sagemaker-scikit-learn-container, aws/sagemaker-xgboost-container,
aws/sagemaker-pytorch-inference-toolkit, aws/deep-learning-containers (TensorFlow),
aws/sagemaker-mxnet-inference-toolkit, aws/sagemaker-huggingface-inference-toolkit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch

from config.model import Framework

CODE = "code"
SCRIPT = f"{CODE}/inference.py"
# AWS's scikit-learn container has no default model_fn; this is the shortest that does the usual.
SCIKIT_LEARN_SCRIPT = '''"""Loads the one joblib or pickle file; scikit-learn's container has no default of its own."""

from pathlib import Path

import joblib


def model_fn(model_dir):
    """Return the model: the archive's only .joblib, .pkl or .pickle file."""
    (path,) = [path for path in Path(model_dir).iterdir() if path.suffix in {".joblib", ".pkl", ".pickle"}]
    return joblib.load(path)
'''


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One framework's archive.

    Parameters
    ----------
    wanted : tuple of str
        Patterns of names at the archive's root; with ``|`` between alternatives. Each must be met.
    single : bool
        Whether exactly one file may meet each pattern.
    only_without_script : bool
        Whether an inference script may load files of other names.
    default_script : str, optional
        What is packed where the user gives no script and the container has no default.
    rooted : str, optional
        Folder that a lone model folder goes into.
    hint : str
        What to do where a file is missing.
    """

    wanted: tuple[str, ...]
    hint: str
    single: bool = False
    only_without_script: bool = True
    default_script: str | None = None
    rooted: str | None = None


LAYOUTS: Mapping[Framework, Layout] = {
    "scikit-learn": Layout(
        wanted=("*.joblib|*.pkl|*.pickle",),
        single=True,
        default_script=SCIKIT_LEARN_SCRIPT,
        hint="save it with joblib.dump(model, 'model.joblib')",
    ),
    "xgboost": Layout(
        wanted=("*.json|*.ubj|*.model|*.bin|*.pkl|xgboost-model",),
        single=True,
        hint="save it with booster.save_model('model.json')",
    ),
    "pytorch": Layout(
        wanted=("model.pth|model.pt",),
        single=True,
        hint="save it with torch.jit.script(model).save('model.pth'), or give an inference_script with model_fn",
    ),
    "tensorflow": Layout(
        wanted=("[0-9]*/saved_model.pb|*/[0-9]*/saved_model.pb",),
        only_without_script=False,
        rooted="1",
        hint="TensorFlow Serving reads SavedModels: for Keras, model.export('folder')",
    ),
    "mxnet": Layout(
        wanted=("model-symbol.json", "model-0000.params", "model-shapes.json"),
        hint="the default loader wants these names; with others give an inference_script with model_fn",
    ),
    "huggingface": Layout(
        wanted=("config.json", "model.safetensors|pytorch_model.bin|model.safetensors.index.json"),
        hint="save model and tokenizer with save_pretrained('folder')",
    ),
    "onnx": Layout(wanted=("*.onnx",), single=True, only_without_script=False, hint="export one model to one file"),
    "linear-learner": Layout(
        wanted=("model_algo-1",), only_without_script=False, hint="take the model.tar.gz of the training job as it is"
    ),
}


def problems(framework: Framework, names: Collection[str], *, has_script: bool) -> list[str]:
    """Return what is wrong with an archive that holds files of these names; empty where it can be served."""
    layout = LAYOUTS[framework]
    if has_script and layout.only_without_script:
        return []
    found = []
    for pattern in layout.wanted:
        fitting = sorted(name for name in names if _fits(name, pattern))
        if not fitting:
            listed = ", ".join(sorted(names)[:5]) or "nothing"
            found.append(f"a {framework} model needs {pattern.replace('|', ' or ')}, there is {listed}: {layout.hint}")
        elif layout.single and len(fitting) > 1:
            found.append(f"a {framework} model is one file, there are {', '.join(fitting)}: leave one")
    return found


def _fits(name: str, pattern: str) -> bool:
    """Match like fnmatch, but let no wildcard reach into folders."""
    return any(
        name.count("/") == alternative.count("/") and fnmatch(name, alternative) for alternative in pattern.split("|")
    )
