"""The README's tables are the provisioners' registry."""

from __future__ import annotations

import re

from sandbox.cloudformation import provisioners  # noqa: F401 - registers every type
from sandbox.cloudformation.provisioner import registered
from sandbox.processes import REPOSITORY_ROOT

TYPE = re.compile(r"`((?:AWS::\w+::\w+)|Custom::\*)`")


def listed(section: str) -> list[str]:
    text = (REPOSITORY_ROOT / "sandbox" / "README.md").read_text()
    return sorted(TYPE.findall(text.split(f"### {section}\n")[1].split("\n### ")[0]))


def test_readme_lists_every_emulated_type() -> None:
    assert listed("Emulated") == sorted(name for name, entry in registered().items() if not entry.inert)


def test_readme_lists_every_recorded_type() -> None:
    assert listed("Recorded only") == sorted(name for name, entry in registered().items() if entry.inert)
