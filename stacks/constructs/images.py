"""AWS's prebuilt SageMaker images, by region.

The table beside this file is generated from the SageMaker SDK (``make images``); a test holds it against the SDK.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from aws_cdk import Aws, CfnMapping, Stack
from constructs import Construct

ImageName = Literal["linear-learner", "scikit-learn"]
TABLE = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


class Images(Construct):
    """Resolves image URIs; where the region is known only at deploy time, through a mapping in the template."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self._accounts = CfnMapping(self, "Accounts", mapping=_accounts_by_region(), lazy=True)

    def uri(self, name: ImageName) -> str:
        """Return the URI of an image in the stack's region."""
        return f"{self._account(name)}.dkr.ecr.{Aws.REGION}.{Aws.URL_SUFFIX}/{TABLE[name]['image']}"

    def repository_arn(self, name: ImageName) -> str:
        """Return the ARN of the repository an image is pulled from."""
        repository = TABLE[name]["image"].partition(":")[0]
        return f"arn:{Aws.PARTITION}:ecr:{Aws.REGION}:{self._account(name)}:repository/{repository}"

    def _account(self, name: ImageName) -> str:
        return self._accounts.find_in_map(Stack.of(self).region, _mapping_key(name))


def version_of(name: ImageName) -> str:
    """Return repository and tag of an image: what identifies its code whatever the region."""
    return str(TABLE[name]["image"])


def _mapping_key(name: str) -> str:
    return name.replace("-", "")  # CloudFormation allows letters and digits only


def _accounts_by_region() -> dict[str, dict[str, str]]:
    regions = sorted({region for row in TABLE.values() for region in row["accounts"]})
    return {
        region: {
            _mapping_key(name): row["accounts"][region] for name, row in TABLE.items() if region in row["accounts"]
        }
        for region in regions
    }
