"""When models are trained anew without a deploy, and who is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from autoscaling.schedules import parse_schedule
from config.group import Group


class Retraining(Group):
    """Runs of the training workflow in mode `retrain`."""

    schedule: str | None = None
    """`rate(7 days)` or `cron(0 3 ? * SUN *)`, in UTC."""
    on_new_data: bool = False
    """Retrain when an object arrives below dataset.train, an s3:// prefix whose bucket notifies EventBridge."""
    debounce_seconds: Annotated[int, Field(ge=1, le=86_400)] = 300
    """Quiet time after the last upload, and between looks whether a run under way has ended."""
    notify: tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")], ...] = ()
    """E-mail addresses that are told how runs end, by way of an SNS topic."""

    @field_validator("schedule")
    @classmethod
    def _is_one(cls, value: str | None) -> str | None:
        if value is not None:
            parse_schedule(value)
        return value
