"""Fires what is scheduled: rules with a schedule expression, and EventBridge Scheduler's schedules."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from moto.events.models import events_backends
from moto.scheduler.models import EventBridgeSchedulerBackend, scheduler_backends

from autoscaling.schedules import occurrences, parse_schedule
from sandbox.events.delivery import Delivery
from sandbox.events.rules import Rules
from sandbox.runtime import ACCOUNT_ID, Runtime

TICK_SECONDS = 1.0

log = logging.getLogger(__name__)


class Clock:
    """A thread that looks every second for what has become due.

    Parameters
    ----------
    runtime : Runtime
        The sandbox.
    rules : Rules
        Fires scheduled rules.
    delivery : Delivery
        Brings the input of schedules to their targets.
    """

    def __init__(self, runtime: Runtime, rules: Rules, delivery: Delivery) -> None:
        self._region = runtime.region
        self._rules = rules
        self._delivery = delivery
        self._first_seen: dict[tuple[str, str], datetime] = {}
        self._refused: set[tuple[str, str]] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-clock", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def tick(self, after: datetime, until: datetime) -> None:
        """Fire what is due in (`after`, `until`]."""
        for rule in self._scheduled_rules():
            for _ in self._due(rule.arn, rule.scheduled_expression, "UTC", after, until):
                envelope = self._rules.envelope("aws.events", "Scheduled Event", {}, [rule.arn])
                self._rules.fire(rule, envelope)
        for schedule in self._schedules():
            zone = schedule.schedule_expression_timezone
            for _ in self._due(schedule.arn, schedule.schedule_expression, zone, after, until):
                self._delivery.send(schedule.target, schedule.target.get("Input") or "{}")

    def _run(self) -> None:
        last = datetime.now(UTC)
        while not self._ended.wait(TICK_SECONDS):
            now = datetime.now(UTC)
            try:
                self.tick(last, now)
            except Exception:  # one broken schedule must not stop the clock
                log.exception("schedules")
            last = now

    def _due(self, arn: str, expression: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
        """Return when `expression` was due; a rate counts from when the clock first saw it, its creation."""
        key = (arn, expression)
        if key in self._refused:
            return []
        origin = self._first_seen.setdefault(key, after)
        try:
            return occurrences(parse_schedule(expression), ZoneInfo(zone), after, until, origin)
        except ValueError:
            self._refused.add(key)
            log.exception("%s: the schedule '%s' never fires", arn, expression)
            return []

    def _scheduled_rules(self) -> Iterator[Any]:
        buses = events_backends[ACCOUNT_ID][self._region].event_buses
        for rule in list(buses["default"].rules.values()):  # only this bus has schedules
            if rule.scheduled_expression and rule.state == "ENABLED":
                yield rule

    def _schedules(self) -> Iterator[Any]:
        backend: EventBridgeSchedulerBackend = scheduler_backends[ACCOUNT_ID][self._region]
        for group in list(backend.schedule_groups.values()):
            yield from (schedule for schedule in list(group.schedules.values()) if schedule.state == "ENABLED")
