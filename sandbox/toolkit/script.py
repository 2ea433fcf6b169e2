"""Script mode: unpacks the user's source and runs their script with the variables of AWS's training toolkit.

References
----------
aws/sagemaker-training-toolkit, entry_point.py and process.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import boto3
from packaging.requirements import InvalidRequirement, Requirement

from sandbox.sagemaker.transfer import TransferError, download_object, unpack
from sandbox.toolkit.environment import TrainingEnvironment, UserError


def train(environment: TrainingEnvironment) -> int:
    """Run the script and return its exit code.

    Raises
    ------
    UserError
        There is no such source or script, or its requirements are not installed here.
    """
    source = str(environment.decoded.get("sagemaker_submit_directory"))
    code = environment.base / "code"
    fetch(boto3.client("s3"), source, code)
    program = code / str(environment.program)
    if not program.is_file():
        raise UserError(f"sagemaker_program is {program.name!r}, and {source} holds no such file")
    check_requirements(code / "requirements.txt")
    variables = {**os.environ, **environment.variables(source), "PYTHONPATH": str(code)}
    command = [sys.executable, program.name, *environment.arguments()]
    sys.stdout.write(f"Invoking script with the following command:\n\n{' '.join(command)}\n\n")
    sys.stdout.flush()
    done = subprocess.run(command, cwd=code, env=variables, check=False)
    if done.returncode:
        environment.write_failure(f"ExecuteUserScriptError: {' '.join(command[1:])} exited with {done.returncode}")
    return done.returncode


def fetch(s3: Any, uri: str, target: Path) -> None:
    """Unpack the source archive at an S3 URI."""
    archive = target.with_suffix(".tar.gz")
    try:
        download_object(s3, uri, archive)
        unpack(archive, target)
    except TransferError as error:
        raise UserError(f"sagemaker_submit_directory: {error}") from error


def check_requirements(path: Path) -> None:
    """Refuse libraries that are not installed here: AWS's containers install them, the sandbox changes nothing."""
    lines = path.read_text().splitlines() if path.is_file() else []
    wanted = filter(None, (line.partition("#")[0].strip() for line in lines))
    if missing := [line for line in wanted if not _is_installed(line)]:
        raise UserError(
            f"requirements.txt wants {', '.join(missing)}, which the sandbox does not install: install it beside the "
            "sandbox, in .venv"
        )


def _is_installed(line: str) -> bool:
    try:
        requirement = Requirement(line)
        return version(requirement.name) in requirement.specifier
    except (PackageNotFoundError, InvalidRequirement):
        return False
