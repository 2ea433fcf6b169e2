"""Where a template comes from: the request itself, or an object in S3 named by a URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.exceptions import ClientError

from sandbox.cloudformation.errors import ValidationError
from sandbox.runtime import Runtime

LONGEST_BODY_BYTES = 51_200  # CloudFormation quotas, "Template body size in a request"
LONGEST_OBJECT_BYTES = 1_000_000  # the same page, "Template body size in an Amazon S3 object"
_VIRTUAL_HOST = re.compile(r"(?P<bucket>.+)\.s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?")
_PATH_STYLE = re.compile(r"(?:s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?|127\.0\.0\.1(?::\d+)?|localhost(?::\d+)?)")


def read_template(request: Mapping[str, Any], runtime: Runtime) -> str:
    """Return the text of the template that a request names.

    Raises
    ------
    ValidationError
        Neither body nor URL, too large, or nothing to be read there.
    """
    if body := request.get("TemplateBody"):
        return _within(str(body), LONGEST_BODY_BYTES, "at 'templateBody'; put it into S3 and give its TemplateURL")
    if "TemplateURL" not in request:
        raise ValidationError("Either Template URL or Template Body must be specified.")
    bucket, key = split_object_url(request["TemplateURL"])
    try:
        content = runtime.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise ValidationError(f"S3 error: {error.response['Error']['Message']} (s3://{bucket}/{key})") from error
    return _within(content.decode(), LONGEST_OBJECT_BYTES, "in S3")


def split_object_url(url: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URL, virtual-host or path style."""
    parts = urlsplit(url)
    path = unquote(parts.path).lstrip("/")
    if match := _VIRTUAL_HOST.fullmatch(parts.netloc):
        return match["bucket"], path
    if parts.scheme == "s3":
        return parts.netloc, path
    if _PATH_STYLE.fullmatch(parts.netloc) and "/" in path:
        bucket, _, key = path.partition("/")
        return bucket, key
    raise ValidationError(f"TemplateURL must reference a valid S3 object to which you have access, got {url}")


def _within(body: str, longest_bytes: int, where: str) -> str:
    size = len(body.encode())
    if size > longest_bytes:
        raise ValidationError(f"A template of {size} bytes exceeds the limit of {longest_bytes} bytes {where}.")
    return body
