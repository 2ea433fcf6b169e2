"""A training script and what lies beside it, packed as the source archive that AWS's framework containers unpack."""

from __future__ import annotations

import ast
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from aws_cdk import Aws
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

from config.algorithms import Hyperparameter
from config.script import Script
from stacks.constructs.archive import IGNORED, write_archive

ARCHIVE = "sourcedir.tar.gz"
LOG_LEVEL = 20  # logging.INFO, as the SDK sets it


class TrainingScript(Construct):
    """The source of one script.

    Parameters
    ----------
    root : Path
        Folder that its paths are relative to.

    Raises
    ------
    FileNotFoundError
        The script or its folder is not there.
    ValueError
        It is no Python, or has no model_fn, which loads its model for the evaluation and the endpoint.
    """

    def __init__(self, scope: Construct, construct_id: str, *, script: Script, root: Path) -> None:
        super().__init__(scope, construct_id)
        self.program = Path(script.entry_point).name
        _check(script, root)
        with tempfile.TemporaryDirectory(prefix="sagescale-") as folder:
            content, archive = Path(folder, "source"), Path(folder, ARCHIVE)
            if script.source_dir:
                shutil.copytree(root / script.source_dir, content, ignore=IGNORED)
            else:
                content.mkdir()
                shutil.copyfile(root / script.entry_point, content / self.program)
            write_archive(archive, content)
            self.asset = Asset(self, "Source", path=str(archive))

    def hyperparameters(self, given: Mapping[str, Hyperparameter]) -> dict[str, str]:
        """Return `given` and what names the script, each as JSON: the containers read hyperparameters so.

        References
        ----------
        aws/sagemaker-training-toolkit, params.py and environment.py
        """
        named = {
            "sagemaker_container_log_level": str(LOG_LEVEL),
            "sagemaker_program": json.dumps(self.program),
            "sagemaker_region": f'"{Aws.REGION}"',
            "sagemaker_submit_directory": f'"{self.asset.s3_object_url}"',
        }
        return {**{name: json.dumps(value) for name, value in sorted(given.items())}, **named}


def _check(script: Script, root: Path) -> None:
    if script.source_dir and not (root / script.source_dir).is_dir():
        raise FileNotFoundError(
            f"training.script.source_dir = {script.source_dir!r}: there is no such folder below {root}"
        )
    path = root / (script.source_dir or "") / script.entry_point
    if not path.is_file():
        raise FileNotFoundError(
            f"training.script.entry_point = {script.entry_point!r}: there is no such file below {path.parent}"
        )
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=script.entry_point)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ValueError(f"training.script.entry_point = {script.entry_point!r} is no Python: {error}") from None
    if "model_fn" not in _names(tree):
        raise ValueError(
            f"training.script.entry_point = {script.entry_point!r} has no model_fn(model_dir): it loads what the "
            "script saved, for the evaluation and for the endpoint"
        )


def _names(tree: ast.Module) -> Iterator[str]:
    """Yield the functions a module defines or imports."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
