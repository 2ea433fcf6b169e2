"""Rules that deliver: moto matches events, but knows neither Lambda nor Step Functions nor a disabled rule."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from moto.events.models import EventBus, Rule, events_backends

from sandbox.events.delivery import Delivery
from sandbox.events.input import target_input
from sandbox.runtime import ACCOUNT_ID, Runtime


class Rules:
    """What rules do with events.

    Parameters
    ----------
    runtime : Runtime
        The sandbox.
    delivery : Delivery
        Brings events to targets.
    """

    def __init__(self, runtime: Runtime, delivery: Delivery) -> None:
        self._region = runtime.region
        self._delivery = delivery

    def offer(self, rule: Rule, event: Any) -> None:
        """Send `event` to the targets of `rule` if the rule is enabled and its pattern matches; moto's own seam."""
        if rule.state != "ENABLED" or not rule.event_pattern.get_pattern():
            return  # a rule without a pattern has a schedule instead
        envelope = {**event, "time": _iso(event["time"])}
        envelope.pop("ingestion-time", None)
        if rule.event_pattern.matches_event(envelope):  # type: ignore[arg-type] # the same with a readable time
            self.fire(rule, envelope)

    def fire(self, rule: Rule, envelope: dict[str, Any]) -> None:
        """Send `envelope` to all targets of `rule`."""
        for target in rule.targets:
            self._delivery.send(target, target_input(target, envelope))

    def emit(self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        """Offer an event of an AWS service to the rules of the default bus."""
        bus: EventBus = events_backends[ACCOUNT_ID][self._region].event_buses["default"]
        event = self.envelope(source, detail_type, detail, resources)
        for rule in list(bus.rules.values()):
            self.offer(rule, event)

    def envelope(self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> dict[str, Any]:
        """Return an event of now."""
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": ACCOUNT_ID,
            "time": _iso(datetime.now(UTC).timestamp()),
            "region": self._region,
            "resources": resources,
            "detail": detail,
        }


def _iso(moment: Any) -> str:
    if isinstance(moment, (int, float)):
        return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return str(moment)
