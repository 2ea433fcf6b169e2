"""Plays the Docker that the CDK CLI calls for image assets: nothing is built, what is pushed is known to ECR.

The sandbox runs no container; `python -m serving` stands in for the one image this project builds. So any other
Dockerfile is refused. ``CDK_DOCKER`` names the script that `install` writes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import boto3

from sandbox.processes import REPOSITORY_ROOT
from sandbox.runtime import Runtime

DOCKERFILE = REPOSITORY_ROOT / "serving" / "Dockerfile"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


def install(runtime: Runtime) -> None:
    """Write the script that the CDK CLI calls."""
    path = runtime.docker
    path.parent.mkdir(parents=True, exist_ok=True)
    command = f'"{sys.executable}" -m sandbox.docker "{path.with_suffix(".json")}" "$@"'
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{REPOSITORY_ROOT}" exec {command}\n')
    path.chmod(0o755)


def main(arguments: list[str]) -> int:
    """Carry out one docker command; the first argument names the file that remembers tags."""
    tags, command, *rest = Path(arguments[0]), *arguments[1:]
    known: dict[str, str] = json.loads(tags.read_text()) if tags.exists() else {}
    if command == "inspect":
        return 0 if rest[-1] in known else 1
    if command == "build":
        if problem := _problem(Path(rest[-1])):
            sys.stderr.write(f"{problem}\n")
            return 1
        known[rest[rest.index("--tag") + 1]] = "built"
    elif command == "tag":
        known[rest[1]] = known[rest[0]]
    elif command == "push":
        _register(rest[-1])
    elif command not in {"login", "logout", "version"}:
        sys.stderr.write(f"the sandbox's docker does not know {command!r}\n")
        return 1
    tags.write_text(json.dumps(known))
    return 0


def _problem(context: Path) -> str | None:
    dockerfile = context / "Dockerfile"
    if dockerfile.is_file() and dockerfile.read_bytes() == DOCKERFILE.read_bytes():
        return None
    return f"the sandbox builds no images: it stands in for serving/Dockerfile only, not for {dockerfile.resolve()}"


def _register(image: str) -> None:
    repository, _, tag = image.partition("/")[2].rpartition(":")
    digest = f"sha256:{hashlib.sha256(tag.encode()).hexdigest()}"
    part = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": digest}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": part, "layers": [part]}
    boto3.client("ecr").put_image(repositoryName=repository, imageTag=tag, imageManifest=json.dumps(manifest))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
