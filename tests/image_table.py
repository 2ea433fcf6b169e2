"""Generates the image table from the SageMaker SDK: ``make images``.

The stacks read the committed table, so synth needs no SDK; a test holds the table against the SDK.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the SDK's own
    from sagemaker.core import image_uris

TABLE = Path(__file__).parents[1] / "stacks" / "constructs" / "images.json"
IMAGES = {  # our name: the SDK's framework, version and the arguments it wants
    "linear-learner": ("linear-learner", "1", {}),
    "scikit-learn": ("sklearn", "1.4-2-py312", {"instance_type": "ml.m5.xlarge"}),
}


def retrieve(name: str, region: str) -> str:
    """Return the URI the SDK names for one of our images in `region`."""
    framework, version, arguments = IMAGES[name]
    return str(image_uris.retrieve(framework, region, version=version, **arguments))


def regions(name: str) -> list[str]:
    """Return the regions the SDK knows for one of our images."""
    framework, version, _ = IMAGES[name]
    config = image_uris.config_for_framework(framework)
    versions = config["versions"] if "versions" in config else config["training"]["versions"]
    return sorted(versions[version]["registries"])


def _row(name: str) -> dict[str, Any]:
    uris = {region: retrieve(name, region) for region in regions(name)}
    (image,) = {uri.partition("/")[2] for uri in uris.values()}
    return {"image": image, "accounts": {region: uri.partition(".")[0] for region, uri in uris.items()}}


if __name__ == "__main__":
    table = {name: _row(name) for name in sorted(IMAGES)}
    TABLE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
