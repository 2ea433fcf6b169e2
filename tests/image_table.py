"""Generates the image table from the SageMaker SDK: ``make images``.

The stacks read the committed table, so synth needs no SDK; a test holds the table against the SDK.
"""

from __future__ import annotations

import json
import warnings
from functools import cache
from itertools import dropwhile
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "stacks" / "constructs" / "images.json"
FRAMEWORKS = {  # our name: the SDK's, and the oldest version that is offered
    "huggingface": ("huggingface", "4.26.0"),
    "kmeans": ("kmeans", "1"),
    "linear-learner": ("linear-learner", "1"),
    "mxnet": ("mxnet", "1.7.0"),
    "pca": ("pca", "1"),
    "pytorch": ("pytorch", "1.13.1"),
    "pytorch-training": ("pytorch", "2.0.0"),
    "scikit-learn": ("sklearn", "1.0-1"),
    "tensorflow": ("tensorflow", "2.11.0"),
    "xgboost": ("xgboost", "1.5-1"),
}

INSTANCE_TYPES = {"cpu": "ml.m5.xlarge", "gpu": "ml.g4dn.xlarge"}


@cache
def _sdk() -> Any:
    """Return the SDK's module, which takes seconds to import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's own
        from sagemaker.core import image_uris
    # for every single image it would read its table from disk, and botocore's list of endpoints
    image_uris.config_for_framework = cache(image_uris.config_for_framework)
    image_uris.utils._botocore_resolver = cache(image_uris.utils._botocore_resolver)
    return image_uris


def versions(name: str) -> list[str]:
    """Return the versions of one of our images that the SDK knows, without the old ones."""
    _, oldest = FRAMEWORKS[name]
    return list(dropwhile(lambda version: version != oldest, _config(name)["versions"]))


def regions(name: str) -> list[str]:
    """Return the regions that have every version of one of our images."""
    return sorted(set.intersection(*(set(_entry(name, version)[0]["registries"]) for version in versions(name))))


def retrieve(name: str, version: str, processor: str, region: str) -> str:
    """Return the URI the SDK names for one of our images in `region`."""
    framework, _ = FRAMEWORKS[name]
    entry, base = _entry(name, version)
    arguments = {"base_framework_version": base} if base else {}
    if "py_versions" in entry and framework != "sklearn":
        arguments["py_version"] = entry["py_versions"][-1]
    return str(
        _sdk().retrieve(
            framework,
            region,
            version=version,
            instance_type=INSTANCE_TYPES[processor],
            image_scope=_scope(name),
            **arguments,
        )
    )


def processors(name: str, version: str) -> list[str]:
    """Return the processors one of our images comes for; an algorithm's image serves both."""
    known = _config(name).get("processors") or _entry(name, version)[0].get("processors") or ["cpu"]
    return sorted(set(known) & set(INSTANCE_TYPES))


def _config(name: str) -> dict[str, Any]:
    config = _sdk().config_for_framework(FRAMEWORKS[name][0])
    scoped: dict[str, Any] = config.get(_scope(name), config)
    return scoped


def _scope(name: str) -> str:
    return "training" if name.endswith("-training") else "inference"


def _entry(name: str, version: str) -> tuple[dict[str, Any], str | None]:
    """Return the SDK's entry of a version, and for Hugging Face the PyTorch it is built on."""
    entry = _config(name)["versions"][version]
    bases = [key for key in entry if key.startswith("pytorch")]
    return (entry[bases[-1]], bases[-1]) if bases else (entry, None)


def _row(name: str) -> dict[str, Any]:
    images = {
        version: {
            processor: retrieve(name, version, processor, "us-east-1").partition("/")[2]
            for processor in processors(name, version)
        }
        for version in versions(name)
    }
    newest, processor = versions(name)[-1], processors(name, versions(name)[-1])[0]
    accounts = {region: retrieve(name, newest, processor, region).partition(".")[0] for region in regions(name)}
    return {"images": images, "accounts": accounts}


if __name__ == "__main__":
    table = {name: _row(name) for name in sorted(FRAMEWORKS)}
    TABLE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
