"""The raw records: a local file that goes up as an asset, or an S3 URI that stays where it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

from stacks.constructs.acknowledgements import acknowledge_wildcards
from stacks.constructs.job_role import read_statements


class DatasetFile(Construct):
    """One input of the training workflow.

    Parameters
    ----------
    location : str
        A path below `root`, or ``s3://bucket/prefix``.
    root : Path
        The project's root.

    Raises
    ------
    FileNotFoundError
        The path holds no file.
    """

    def __init__(self, scope: Construct, construct_id: str, *, location: str, root: Path) -> None:
        super().__init__(scope, construct_id)
        self._asset: Asset | None = None
        self._location = location
        if location.startswith("s3://"):
            self.uri = location
            self.identity = hashlib.sha256(location.encode()).hexdigest()
            return
        path = root / location
        if not path.is_file():
            raise FileNotFoundError(
                f"dataset.{construct_id.lower()} = {location!r}: there is no such file below {root}; run `make data`, "
                "or name another path or an s3:// URI"
            )
        self._asset = Asset(self, "Asset", path=str(path))
        self.uri = self._asset.s3_object_url
        self.identity = self._asset.asset_hash

    def grant_read(self, role: iam.IRole) -> None:
        """Let `role` read the records."""
        if self._asset:
            grant_read_asset(self._asset, role)
            return
        name, _, prefix = self._location.removeprefix("s3://").partition("/")
        bucket = s3.Bucket.from_bucket_name(self, "Bucket", name)
        records = bucket.arn_for_objects(f"{prefix}*")
        for statement in read_statements(bucket, records):
            role.add_to_principal_policy(statement)
        acknowledge_wildcards(role, {records: "an S3 URI of a dataset may be the prefix of several files"})


def grant_read_asset(asset: Asset, role: iam.IRole) -> None:
    """Let `role` download one asset, and no other of the bucket."""
    for statement in read_statements(asset.bucket, asset.bucket.arn_for_objects(asset.s3_object_key)):
        role.add_to_principal_policy(statement)
