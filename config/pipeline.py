"""Settings of the pipeline that deploys on git push."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.group import Group


class Pipeline(Group):
    """Where the sources are, and which environments a change passes before it arrives here.

    The pipeline lives in the account and region of the environment whose file names it.
    """

    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w./-]+$")]
    """Owner and name, such as example/sagescale."""
    branch: str = "main"
    connection_arn: Annotated[
        str, Field(pattern=r"^arn:aws[a-z-]*:(codeconnections|codestar-connections):[a-z0-9-]+:\d{12}:connection/.+$")
    ]
    """Of AWS CodeConnections; somebody must have accepted it once in the console."""
    before: tuple[str, ...] = ("dev",)
    """Environments that are deployed, called and judged before anybody is asked to approve this one."""
    smoke_users: Annotated[int, Field(ge=1, le=200)] = 32
    smoke_seconds: Annotated[int, Field(ge=1, le=3600)] = 120
    smoke_p95_ms: Annotated[float, Field(gt=0)] = 1_000
    smoke_bodies: Annotated[str, Field(pattern=r"^[\w./-]+$")] | None = None
    """File of the repository with CSV rows, one a line, for environments whose model takes no records."""
