"""Script mode: a training script of the user's own in one of AWS's framework containers."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from config.group import Group

# Of AWS's images those whose Python is older than 3.10: the evaluation, which runs in the script's image, needs that.
TOO_OLD = {"scikit-learn": ("1.0-1", "1.2-1"), "xgboost": ("1.5-1", "1.7-1"), "pytorch": ("1.13.1",)}


class Script(Group):
    """A Python file that trains where the `SM_*` variables say, and that serves its model with `model_fn`."""

    framework: Literal["scikit-learn", "xgboost", "pytorch"]
    version: str
    """The framework's, as AWS names its image: `1.9-0`, `3.0-5`, `2.6.0`."""
    entry_point: str
    """The file that is run: below `source_dir`, or below the project's root."""
    source_dir: str | None = None
    """Folder that goes along, a requirements.txt in it is installed; by default the file goes alone."""
    metrics: dict[str, str] = Field(default_factory=dict)
    """Metrics read from the script's output: name and regular expression, whose first group is the value."""

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        problems = []
        if not self.entry_point.endswith(".py"):
            problems.append(f"entry_point {self.entry_point!r} is no Python file: its name must end with .py")
        if self.source_dir and "/" in self.entry_point:
            problems.append(f"entry_point {self.entry_point!r} must lie in source_dir itself, not in a folder below it")
        if self.version in TOO_OLD[self.framework]:
            problems.append(
                f"the {self.framework} image {self.version} has a Python older than 3.10, which the evaluation needs: "
                "take a later version"
            )
        problems += [problem for item in self.metrics.items() if (problem := _problem(*item))]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _problem(name: str, regex: str) -> str | None:
    try:
        groups = re.compile(regex).groups
    except re.error as error:
        return f"metrics: {regex!r} of {name} is no regular expression: {error}"
    return None if groups else f"metrics: {regex!r} of {name} captures no value: put it in parentheses"
