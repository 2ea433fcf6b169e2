"""Moves data between S3 and the directory of a job or a model server."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError


class TransferError(Exception):
    """Data that is not there, or that cannot be unpacked; the text is fit for a FailureReason."""


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of ``s3://bucket/key`` or of its ``https://s3.<region>.amazonaws.com/bucket/key`` form."""
    parts = urlparse(uri)
    path = parts.path.lstrip("/")
    if parts.scheme == "s3":
        return parts.netloc, path
    if parts.scheme == "https" and parts.netloc.startswith("s3"):  # what S3Location.from_bucket() synthesizes
        bucket, _, key = path.partition("/")
        return bucket, key
    if parts.scheme == "https" and ".s3" in parts.netloc:
        return parts.netloc.split(".s3", 1)[0], path
    raise TransferError(f"'{uri}' is not an S3 location; give s3://bucket/key")


def download_prefix(s3: Any, uri: str, target: Path, *, shard: int = 0, shards: int = 1) -> int:
    """Copy the objects whose keys start as `uri` does below `target`.

    Parameters
    ----------
    s3 : boto3 client
        Of S3.
    uri : str
        An S3Prefix: a folder, or one object.
    target : Path
        Directory; made if missing.
    shard, shards : int
        Which part of the keys, in their order: ShardedByS3Key gives each of `shards` instances every n-th.

    Returns
    -------
    int
        Objects copied; 0 only for a shard beyond the number of objects.

    Raises
    ------
    TransferError
        Nothing starts with this prefix, or the bucket is missing.
    """
    bucket, prefix = split_uri(uri)
    keys = _keys(s3, bucket, prefix, uri)
    mine = keys[shard::shards]
    target.mkdir(parents=True, exist_ok=True)
    for key in mine:
        path = target / _relative(key, prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key, str(path))
    return len(mine)


def download_object(s3: Any, uri: str, path: Path) -> None:
    """Copy one object to `path`; a TransferError when it is missing."""
    bucket, key = split_uri(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        s3.download_file(bucket, key, str(path))
    except ClientError as error:
        raise TransferError(f"Could not find model data at {uri}: {_code(error)}") from error


def upload_directory(s3: Any, source: Path, uri: str) -> None:
    """Copy every file below `source` to keys below `uri`."""
    bucket, prefix = split_uri(uri)
    for path in sorted(file for file in source.rglob("*") if file.is_file()):
        _upload(s3, path, bucket, "/".join((prefix.rstrip("/"), path.relative_to(source).as_posix())).lstrip("/"))


def upload_archive(s3: Any, sources: Iterable[Path], archive: Path, uri: str) -> None:
    """Pack the contents of the directories `sources` into one tar.gz and copy it to `uri`."""
    with tarfile.open(archive, "w:gz") as tar:
        for source in sources:
            for path in sorted(source.iterdir()):
                tar.add(path, arcname=path.name)
    bucket, key = split_uri(uri)
    _upload(s3, archive, bucket, key)


def unpack(archive: Path, target: Path) -> None:
    """Unpack a model.tar.gz below `target`; a TransferError when it is no safe tar archive."""
    try:
        with tarfile.open(archive, "r:*") as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 brought it
            tar.extractall(target)  # noqa: S202 - filtered, and of the user's own making
    except (tarfile.TarError, EOFError, OSError) as error:
        raise TransferError(f"{archive.name} could not be unpacked: {error}") from error


def _keys(s3: Any, bucket: str, prefix: str, uri: str) -> list[str]:
    try:
        pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix))
    except ClientError as error:
        raise TransferError(f"{uri}: {_code(error)}") from error
    keys = [item["Key"] for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/")]
    if not keys:
        raise TransferError(f"No S3 objects found under S3 URL '{uri}' given in input data source")
    return sorted(keys)


def _relative(key: str, prefix: str) -> str:
    """Return where an object lies below its channel: the key without the folder the prefix names."""
    folder = prefix if prefix.endswith("/") or key.startswith(prefix + "/") else prefix.rpartition("/")[0]
    return key[len(folder) :].lstrip("/")


def _upload(s3: Any, path: Path, bucket: str, key: str) -> None:
    try:
        with path.open("rb") as body:
            s3.put_object(Bucket=bucket, Key=key, Body=body)
    except ClientError as error:
        raise TransferError(f"Upload to s3://{bucket}/{key} failed: {_code(error)}") from error


def _code(error: ClientError) -> str:
    return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
