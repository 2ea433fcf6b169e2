"""Packs a pre-trained model as model.tar.gz: the same bytes for the same files, whenever and wherever it is packed."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.model import Model
from stacks.constructs.archive import IGNORED, files_of, write_archive
from stacks.constructs.model_layout import CODE, LAYOUTS, SCRIPT, problems

ARCHIVE = "model.tar.gz"
ARCHIVES = (".tar.gz", ".tgz")


@contextmanager
def packed(model: Model, root: Path) -> Iterator[Path]:
    """Yield a model.tar.gz that the framework's container can serve; it is gone afterwards.

    Parameters
    ----------
    model : Model
        A pre-trained model with a local path.
    root : Path
        Folder that its paths are relative to.

    Raises
    ------
    ValueError
        A path holds nothing, or the archive misses files its container needs.
    """
    assert model.framework is not None, "settings let a pre-trained model pass that names no framework"
    layout = LAYOUTS[model.framework]
    with tempfile.TemporaryDirectory(prefix="sagescale-") as folder:
        content = Path(folder, "model")
        content.mkdir()
        _collect(model, root, content, lone_folder=layout.rooted)
        has_script = _brings_script(model, root, content)
        names = [path.relative_to(content).as_posix() for path in files_of(content)]
        if found := problems(model.framework, names, has_script=has_script):
            raise ValueError(f"model.path = {model.path!r}: " + "; ".join(found))
        if layout.default_script and not has_script:
            (content / CODE).mkdir(exist_ok=True)
            (content / SCRIPT).write_text(layout.default_script, encoding="utf-8")
        archive = Path(folder, ARCHIVE)
        write_archive(archive, content)
        yield archive


def _collect(model: Model, root: Path, content: Path, *, lone_folder: str | None) -> None:
    source = root / str(model.path)
    if source.name.endswith(ARCHIVES) and source.is_file():
        try:
            with tarfile.open(source) as archive:
                archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 brought it
                archive.extractall(content)  # noqa: S202 - filtered, and the user's own file
        except (tarfile.TarError, EOFError, OSError) as error:
            raise ValueError(f"model.path = {model.path!r} is no tar archive: {error}") from None
    elif source.is_dir():
        is_lone = lone_folder and (source / "saved_model.pb").is_file()
        target = content / lone_folder if lone_folder and is_lone else content
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=IGNORED)
    elif source.is_file():
        shutil.copyfile(source, content / source.name)
    else:
        raise ValueError(f"model.path = {model.path!r}: there is no such file or folder below {root}")


def _brings_script(model: Model, root: Path, content: Path) -> bool:
    """Return whether the user brings a script, as a setting, which is added here, or in the archive."""
    target = content / SCRIPT
    if model.inference_script:
        source = root / model.inference_script
        if not source.is_file():
            raise ValueError(f"model.inference_script = {model.inference_script!r}: there is no such file below {root}")
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target)
    return target.is_file()
