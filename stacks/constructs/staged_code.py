"""Assembles the folders that become assets from parts of the repository.

A folder's content decides its asset hash, so equal sources give equal assets wherever and whenever they are built.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LAMBDA_REQUIREMENTS = ROOT / "requirements-lambda.txt"
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")


@contextmanager
def staged(parts: Mapping[str, Path], *, libraries: bool = False) -> Iterator[str]:
    """Yield a temporary folder that holds `parts`; the CDK copies it while a construct is made.

    Parameters
    ----------
    parts : Mapping[str, Path]
        Where in the folder each file or folder goes.
    libraries : bool
        Add the distributions of requirements-lambda.txt, and what they need.
    """
    with tempfile.TemporaryDirectory(prefix="sagescale-") as folder:
        for name, source in parts.items():
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=IGNORED, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, target)
        if libraries:
            _copy_libraries(Path(folder))
        yield folder


def _copy_libraries(folder: Path) -> None:
    lines = (line.partition("#")[0].strip() for line in LAMBDA_REQUIREMENTS.read_text(encoding="utf-8").splitlines())
    wanted = [Requirement(line) for line in lines if line and not line.startswith("-")]
    seen: set[str] = set()
    while wanted:
        requirement = wanted.pop()
        if requirement.name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(requirement.name)
        found = _installed(requirement.name)
        _copy_distribution(found, folder)
        wanted += [Requirement(line) for line in found.requires or []]


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise FileNotFoundError(
            f"{name}, which the Lambda functions need, is not installed: run `make install` or "
            "`pip install -r requirements.txt`"
        ) from None


def _copy_distribution(found: Distribution, folder: Path) -> None:
    for file in found.files or []:
        inside = file.parts[0] != ".." and not file.parts[0].endswith(".dist-info")
        if inside and "__pycache__" not in file.parts:
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)
