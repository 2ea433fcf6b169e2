"""Writes .tar.gz archives that become assets: equal files make equal bytes, whenever and wherever they are written.

Names are sorted, times are zero, and owners and permissions are always the same.
"""

from __future__ import annotations

import gzip
import shutil
import tarfile
from pathlib import Path

IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".DS_Store")


def files_of(content: Path) -> list[Path]:
    """Return the files below a folder, in order."""
    return sorted(path for path in content.rglob("*") if path.is_file())


def write_archive(archive: Path, content: Path) -> None:
    """Pack what is below the folder `content`."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in files_of(content):
            entry = tarfile.TarInfo(path.relative_to(content).as_posix())
            entry.size = path.stat().st_size
            entry.mode = 0o644
            with path.open("rb") as file:
                tar.addfile(entry, file)
