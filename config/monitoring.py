"""Settings of dashboard, alarms and who hears of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.data_capture import Drift
from config.group import Group

Positive = Annotated[float, Field(gt=0)]


class Budget(Group):
    """What the environment may cost, by its tags `project` and `env` (activate them as cost allocation tags once)."""

    monthly_usd: Annotated[float, Field(gt=0)]
    alert_percentages: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, max_length=4)] = (
        80,
        100,
    )
    """Of the month's budget: the alarm topic is told when the cost has come that far."""
    forecast_percentage: Positive | None = 100
    """And when AWS's forecast for the month comes that far."""


class Monitoring(Group):
    """When an alarm goes off, and whom it tells."""

    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    """Gets every alarm, after confirming the subscription; other subscribers can join the stack's AlarmTopic."""
    p99_latency_ms: Annotated[float, Field(gt=0)] = 1_000
    """Time in the model's container that 99 of 100 requests stay below."""
    error_share: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of failed requests above which somebody should look."""
    drift: Drift | None = None
    """Compare what clients send with the training records; needs [endpoint.data_capture]."""
    budget: Budget | None = None
    """AWS Budgets watches the cost and tells the alarm topic."""
