"""Archives of Lambda functions: what is in them, and that equal sources give equal bytes."""

import os
import zipfile
from pathlib import Path

from stacks.constructs.staged_code import zipped


def source(folder: Path) -> Path:
    (folder / "inner" / "__pycache__").mkdir(parents=True)
    (folder / "handler.py").write_text("HANDLER = 1\n")
    (folder / "inner" / "more.py").write_text("MORE = 2\n")
    (folder / "inner" / "__pycache__" / "more.cpython-311.pyc").write_bytes(b"compiled")
    return folder


def test_archive_holds_every_part_at_its_place_and_no_compiled_module(tmp_path: Path) -> None:
    folder = source(tmp_path / "code")
    with zipped({".": folder, "schema.py": folder / "inner" / "more.py"}) as path, zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}

    assert content == {"handler.py": b"HANDLER = 1\n", "inner/more.py": b"MORE = 2\n", "schema.py": b"MORE = 2\n"}


def test_archive_is_readable_for_whoever_unpacks_it(tmp_path: Path) -> None:
    folder = source(tmp_path / "code")
    (folder / "handler.py").chmod(0o600)
    with zipped({".": folder}) as path, zipfile.ZipFile(path) as archive:
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o644}


def test_equal_sources_give_equal_bytes(tmp_path: Path) -> None:
    archives = []
    for name, day in (("a", 10_000), ("b", 20_000_000)):
        folder = source(tmp_path / name)
        os.utime(folder / "handler.py", (day, day))
        with zipped({".": folder}, libraries=True) as path:
            archives.append(Path(path).read_bytes())

    assert archives[0] == archives[1]


def test_libraries_and_what_they_need_lie_beside_the_function(tmp_path: Path) -> None:
    with zipped({".": source(tmp_path / "code")}, libraries=True) as path, zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())

    assert {
        "handler.py",
        "aws_lambda_powertools/__init__.py",
        "fastjsonschema/__init__.py",
        "jmespath/__init__.py",
    } <= names
    assert not [name for name in names if "__pycache__" in name or ".dist-info" in name or ".." in name]


def test_archive_is_gone_afterwards(tmp_path: Path) -> None:
    with zipped({".": source(tmp_path / "code")}) as path:
        assert Path(path).exists()

    assert not Path(path).exists()
