"""Settings of data capture, and of the check that compares what was captured with what was trained on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from autoscaling.schedules import parse_schedule
from config.group import Group
from config.training import Job


class DataCapture(Group):
    """A sample of requests and answers, written to the data bucket."""

    sampling_percentage: Annotated[int, Field(ge=1, le=100)] = 10
    prefix: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = "captured"
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 7
    """Then captured data expire; a drift check looks at all that are kept."""


class Drift(Group):
    """A check on its own schedule whether clients still send what the model was trained on."""

    schedule: str = "rate(1 day)"
    """`rate(1 day)` or `cron(0 3 * * ? *)`, in UTC."""
    threshold: Annotated[float, Field(gt=0)] = 0.25
    """Population stability index of a feature above which the alarm goes off; more than 0.25 is much, by custom."""
    least_rows: Annotated[int, Field(ge=1)] = 500
    """With fewer captured rows there is no verdict."""
    job: Job = Job()

    @field_validator("schedule")
    @classmethod
    def _is_one(cls, value: str) -> str:
        parse_schedule(value)
        return value
