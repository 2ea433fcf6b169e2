"""What every table of the settings file has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Group(BaseModel):
    """A table of the settings file: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
