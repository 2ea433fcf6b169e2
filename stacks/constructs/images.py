"""AWS's prebuilt SageMaker images, by region.

The table beside this file is generated from the SageMaker SDK (``make images``); a test holds it against the SDK.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aws_cdk import Aws, CfnMapping, Stack
from constructs import Construct

ImageName = Literal[
    "huggingface",
    "kmeans",
    "linear-learner",
    "mxnet",
    "pca",
    "pytorch",
    "pytorch-training",
    "scikit-learn",
    "tensorflow",
    "xgboost",
]
TABLE = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
ACCOUNT = "account"
PARTITION, REGION, URL_SUFFIX = Aws.PARTITION, Aws.REGION, Aws.URL_SUFFIX
WITH_GPU = re.compile(r"ml\.[gp]\d")  # instance families g4dn, g5, p3, ...


@dataclass(frozen=True)
class PrebuiltImage:
    """One image of the table.

    Parameters
    ----------
    name : ImageName
        Our name of the repository.
    tagged : str
        Repository and tag: what identifies its code whatever the region.
    """

    name: ImageName
    tagged: str


def prebuilt(name: ImageName, version: str = "1", instance_type: str = "") -> PrebuiltImage:
    """Return the image of a framework's version that fits an instance type.

    Raises
    ------
    ValueError
        AWS has no image of this version; the message lists those it has.
    """
    images = TABLE[name]["images"]
    if version not in images:
        raise ValueError(f"AWS has no {name} image of version {version!r}; it has {', '.join(images)}")
    of_version = images[version]
    processor = "gpu" if WITH_GPU.match(instance_type) and "gpu" in of_version else "cpu"
    return PrebuiltImage(name, of_version[processor])


LINEAR_LEARNER = prebuilt("linear-learner")
XGBOOST = prebuilt("xgboost", "3.0-5")  # Python 3.10, NumPy 2.1, pyarrow 22: the evaluation runs in it too
PROCESSING_IMAGE = prebuilt("scikit-learn", "1.4-2-py312")  # Python 3.12, NumPy 2.1, pyarrow 17, and no polars


class Images(Construct):
    """Resolves image URIs; where the region is known only at deploy time, through a mapping in the template."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self._region = Stack.of(self).region
        self._accounts: dict[ImageName, CfnMapping] = {}  # a template has those that it uses

    def uri(self, image: PrebuiltImage) -> str:
        """Return the URI of an image in the stack's region."""
        return f"{self._account(image.name)}.dkr.ecr.{REGION}.{URL_SUFFIX}/{image.tagged}"

    def repository_arn(self, image: PrebuiltImage) -> str:
        """Return the ARN of the repository an image is pulled from."""
        repository = image.tagged.partition(":")[0]
        return f"arn:{PARTITION}:ecr:{REGION}:{self._account(image.name)}:repository/{repository}"

    def _account(self, name: ImageName) -> str:
        if name not in self._accounts:
            accounts = {region: {ACCOUNT: account} for region, account in TABLE[name]["accounts"].items()}
            self._accounts[name] = CfnMapping(self, name, lazy=True, mapping=accounts)
        return self._accounts[name].find_in_map(self._region, ACCOUNT)
