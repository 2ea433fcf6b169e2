"""A notebook instance, for walking through the pipeline by hand."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.group import Group


class Notebook(Group):
    """A SageMaker notebook instance with a repository in it."""

    instance_type: Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")] = "ml.m4.xlarge"
    volume_size_gb: Annotated[int, Field(ge=5, le=16_384)] = 20
    idle_stop_minutes: Annotated[int, Field(ge=15, le=10_080)] = 60
    """The instance stops itself after this long without a running kernel; work is kept on the volume."""
    repository: Annotated[str, Field(pattern=r"^https://")] | None = None
    """Git repository that is cloned into it: yours, with notebooks/kdd99.ipynb."""
