"""Finds the KDD99 files, fetches them, or makes up records of their shape: what ``make data`` does.

Files count by what they unpack to, so another archive of the same rows is as good. Nobody's data is shipped with the
project. Every step leaves either both files and ``SOURCE.json`` whole, or nothing new.

References
----------
KDD Cup 1999 Data, UCI KDD Archive, DOI 10.24432/C51C7N; checksums of the 10 % training file (as corrected in 2007) and
of the test file with corrected labels, both unpacked.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tempfile
import urllib.request
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Final

from training import synthetic

URL: Final = "http://kdd.ics.uci.edu/databases/kddcup99"
TIMEOUT_SECONDS: Final = 10.0
TRAIN: Final = "kddcup.data_10_percent.gz"
TEST: Final = "corrected.gz"
CONTENT_SHA256: Final = {
    TRAIN: "f8c8267ebcd9c0ed1fd7d6277fe5bfff8732e9b7db8e61b873542b2a534b6f9a",
    TEST: "547dfb9c0f0dc1d9944219ec79e851191faebaeb8acbfa1cd171c418397052a4",
}
SYNTHETIC_ROWS: Final = {TRAIN: 60_000, TEST: 30_000}
_LARGEST_BYTES = 16 << 20  # the files have 2.1 and 1.4 MB
_UNREADABLE = (OSError, EOFError, zlib.error)


@dataclass(frozen=True)
class Source:
    """Where the files of a data directory come from.

    Parameters
    ----------
    synthetic : bool
        The records are made up.
    source : str
        Directory, URL or generator.
    sha256 : dict
        Checksum of each file as it lies there, packed.
    """

    synthetic: bool
    source: str
    sha256: dict[str, str]


def prepare(directory: Path, places: Iterable[Path], tell: Callable[[str], None]) -> Source:
    """Put both files and ``SOURCE.json`` into a directory, from the first place that has them.

    Parameters
    ----------
    directory : Path
        Files that are already whole there are kept, made-up ones too if nothing better is near.
    places : iterable of Path
        Directories to look into, before the network.
    tell : callable
        Gets a line for every place that did not have the files, and why.
    """
    present = _recorded(directory)
    if present and not present.synthetic:
        return present
    for place in places if present else (directory, *places):
        problem = _problem(place)
        if problem is None:
            return _install(directory, str(place), partial(_copy, place))
        tell(f"{place}: {problem}")
    if present:
        tell(f"{directory}: keeping the made-up records; remove the directory to try the network again")
        return present
    try:
        return _install(directory, URL, _download)
    except (*_UNREADABLE, ValueError, HTTPException) as error:
        tell(f"{URL}: {error}")
    return _install(directory, "training.synthetic", _make_up, is_synthetic=True)


def _recorded(directory: Path) -> Source | None:
    """Return what SOURCE.json says, if the files are still those it tells of."""
    try:
        source = Source(**json.loads((directory / "SOURCE.json").read_text()))
        intact = source.sha256 == {name: _sha256(directory / name) for name in CONTENT_SHA256}
    except (OSError, ValueError, TypeError):
        return None
    return source if intact else None


def _problem(place: Path) -> str | None:
    """Return why a directory does not hold the KDD99 files; None if it does."""
    for name, expected in CONTENT_SHA256.items():
        path = place / name
        if not path.is_file():
            return f"no {name}"
        try:
            with gzip.open(path) as file:
                came = hashlib.file_digest(file, "sha256").hexdigest()
        except _UNREADABLE as error:
            return f"{name} cannot be unpacked: {error}"
        if came != expected:
            return f"{name} unpacks to sha256 {came}; KDD99's is {expected}"
    return None


def _install(directory: Path, source: str, make: Callable[[Path], object], *, is_synthetic: bool = False) -> Source:
    """Make both files beside the directory, check them, move them in, then write SOURCE.json."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".new-") as scratch:
        for name in CONTENT_SHA256:
            make(Path(scratch, name))
        problem = None if is_synthetic else _problem(Path(scratch))
        if problem:
            raise ValueError(problem)
        result = Source(is_synthetic, source, {name: _sha256(Path(scratch, name)) for name in CONTENT_SHA256})
        Path(scratch, "SOURCE.json").write_text(json.dumps(asdict(result), indent=2) + "\n")
        for name in (*CONTENT_SHA256, "SOURCE.json"):
            Path(scratch, name).replace(directory / name)
    return result


def _copy(place: Path, file: Path) -> None:
    shutil.copyfile(place / file.name, file)


def _download(file: Path) -> None:
    with urllib.request.urlopen(f"{URL}/{file.name}", timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - a literal URL
        file.write_bytes(answer.read(_LARGEST_BYTES))


def _make_up(file: Path) -> None:
    with file.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
        packed.writelines(synthetic.lines(SYNTHETIC_ROWS[file.name], seed=file.name))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
