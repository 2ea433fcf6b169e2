"""Our own model server as a container image: built from serving/Dockerfile when the stack is deployed."""

from __future__ import annotations

from aws_cdk import Aws
from aws_cdk.aws_ecr_assets import DockerImageAsset, Platform
from constructs import Construct

from stacks.constructs.staged_code import ROOT, staged


class ServingImage(Construct):
    """The image of `python -m serving`, for x86-64 instances."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        parts = {"serving": ROOT / "serving", "Dockerfile": ROOT / "serving" / "Dockerfile"}
        with staged(parts) as folder:
            asset = DockerImageAsset(self, "Image", directory=folder, platform=Platform.LINUX_AMD64)
        self.uri = asset.image_uri
        name = asset.repository.repository_name
        self.repository_arn = f"arn:{Aws.PARTITION}:ecr:{Aws.REGION}:{Aws.ACCOUNT_ID}:repository/{name}"
