"""Assembles the folders and archives that become assets from parts of the repository.

An asset's content decides its hash, so equal sources give equal assets wherever and whenever they are built.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LAMBDA_REQUIREMENTS = ROOT / "requirements-lambda.txt"
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold
_READABLE = 0o644 << 16  # as a zip keeps a file's mode


@contextmanager
def staged(parts: Mapping[str, Path]) -> Iterator[str]:
    """Yield a temporary folder that holds `parts`; the CDK copies it while a construct is made.

    Parameters
    ----------
    parts : Mapping[str, Path]
        Where in the folder each file or folder goes.
    """
    with tempfile.TemporaryDirectory(prefix="sagescale-") as folder:
        for name, source in parts.items():
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=IGNORED, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, target)
        yield folder


@contextmanager
def zipped(parts: Mapping[str, Path], *, libraries: bool = False) -> Iterator[Path]:
    """Yield a temporary zip file that holds `parts`; the CDK hashes and copies it far sooner than hundreds of files.

    It is not compressed: how small deflate makes a file depends on the zlib that is installed.

    Parameters
    ----------
    parts : Mapping[str, Path]
        Where in the archive each file or folder goes.
    libraries : bool
        Add the distributions of requirements-lambda.txt, and what they need.
    """
    with staged(parts) as folder, tempfile.NamedTemporaryFile(prefix="sagescale-", suffix=".zip") as file:
        files = {path.relative_to(folder): path for path in Path(folder).rglob("*") if path.is_file()}
        if libraries:
            files |= _library_files()
        with zipfile.ZipFile(file, "w") as archive:
            for name in sorted(files):
                info = zipfile.ZipInfo(name.as_posix(), _ZIP_EPOCH)
                info.external_attr = _READABLE
                archive.writestr(info, files[name].read_bytes())
        yield Path(file.name)


def _library_files() -> dict[Path, Path]:
    """Return the files of the distributions that Lambda functions import, by their place beside the function."""
    lines = (line.partition("#")[0].strip() for line in LAMBDA_REQUIREMENTS.read_text(encoding="utf-8").splitlines())
    wanted = [Requirement(line) for line in lines if line and not line.startswith("-")]
    files: dict[Path, Path] = {}
    seen: set[str] = set()
    while wanted:
        requirement = wanted.pop()
        if requirement.name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(requirement.name)
        found = _installed(requirement.name)
        files |= _files(found)
        wanted += [Requirement(line) for line in found.requires or []]
    return files


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise FileNotFoundError(
            f"{name}, which the Lambda functions need, is not installed: run `make install` or "
            "`pip install -r requirements.txt`"
        ) from None


def _files(found: Distribution) -> dict[Path, Path]:
    return {
        Path(file): Path(str(file.locate()))
        for file in found.files or []
        if file.parts[0] != ".." and not file.parts[0].endswith(".dist-info") and "__pycache__" not in file.parts
    }
