"""Endpoints that need not run all the time: who sleeps costs nothing but its storage."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from autoscaling.schedules import parse_schedule
from config.group import Group


class Sleep(Group):
    """Lets the endpoint be put to sleep and woken, by command and by the clock."""

    idle_minutes: Annotated[int, Field(ge=3, le=1440)] = 30
    """Without force it falls asleep only when nobody has called for so long; CloudWatch takes two minutes to know."""
    sleep_at: str | None = None
    """`cron(0 20 ? * MON-FRI *)`; `cron(0/30 20-23 * * ? *)` tries again while the evening is busy."""
    wake_at: str | None = None
    """`cron(0 7 ? * MON-FRI *)`."""
    timezone: str = "UTC"
    """Of both, as the IANA database names it."""

    @field_validator("sleep_at", "wake_at")
    @classmethod
    def _is_a_schedule(cls, value: str | None) -> str | None:
        if value is not None:
            parse_schedule(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {value!r}; one is called Europe/Berlin") from error
        return value
