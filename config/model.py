"""Where the served model comes from: trained here, or brought along."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from config.group import Group

Framework = Literal[
    "scikit-learn", "xgboost", "pytorch", "tensorflow", "mxnet", "huggingface", "onnx", "linear-learner"
]
OWN_CONTAINER = frozenset({"onnx", "linear-learner"})  # no framework version decides whether these can be read


class Model(Group):
    """The model and its container."""

    source: Literal["train", "pretrained"] = "train"
    """`pretrained` follows from a `path`; it is deployed without any training."""
    path: str | None = None
    """Of a pre-trained model: a file, a folder or a .tar.gz below the project's root, or s3://bucket/key.tar.gz."""
    framework: Framework | None = None
    """What a pre-trained model was made with; Keras models come as TensorFlow's SavedModel."""
    version: str | None = None
    """The framework's, as AWS names its image: `1.9-0`, `2.6.0`."""
    inference_script: str | None = None
    """A Python file with model_fn, input_fn, predict_fn and output_fn, or some of them."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables of the serving container."""
    network_isolation: bool | None = None
    """Run the container without any network; by default security.network_isolation."""

    @model_validator(mode="before")
    @classmethod
    def _with_a_path_is_pretrained(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("path") is not None:
            return {"source": "pretrained", **given}
        return given

    @model_validator(mode="after")
    def _says_all_its_source_needs(self) -> Self:
        problems = self._problems_of_training() if self.source == "train" else self._problems_of_pretrained()
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems_of_training(self) -> list[str]:
        given = [name for name in ("path", "framework", "version", "inference_script") if getattr(self, name)]
        if not given:
            return []
        return [f'{", ".join(given)} describes a pre-trained model: add its path, and leave source = "train" out']

    def _problems_of_pretrained(self) -> list[str]:
        problems = []
        if not self.path:
            problems.append("a pre-trained model needs a path: a file, a folder, or s3://bucket/key.tar.gz")
        elif "://" in self.path and not (self.path.startswith("s3://") and self.path.endswith(".tar.gz")):
            problems.append(f"path {self.path!r} is neither local nor s3://bucket/key.tar.gz")
        elif self.path.startswith("s3://") and self.inference_script:
            problems.append("an archive in S3 stays as it is: put the inference script into it, as code/inference.py")
        if not self.framework:
            problems.append("a pre-trained model needs its framework")
        elif self.framework in OWN_CONTAINER:
            unknown = [name for name in ("version", "inference_script") if getattr(self, name)]
            problems += [f"{name} has no meaning for {self.framework}: leave it out" for name in unknown]
        elif not self.version:
            problems.append(f"a {self.framework} model needs the version of {self.framework} it was made with")
        if self.framework == "huggingface" and not self.inference_script and "HF_TASK" not in self.environment:
            problems.append('a Hugging Face model needs environment = {HF_TASK = "text-classification"} or the like')
        return problems
