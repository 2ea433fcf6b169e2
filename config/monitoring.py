"""Settings of dashboard, alarms and who hears of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.group import Group


class Monitoring(Group):
    """When an alarm goes off, and whom it tells."""

    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    """Gets every alarm, after confirming the subscription; other subscribers can join the stack's AlarmTopic."""
    p99_latency_ms: Annotated[float, Field(gt=0)] = 1_000
    """Time in the model's container that 99 of 100 requests stay below."""
    error_share: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of failed requests above which somebody should look."""
