"""EventBridge: rules and schedules that reach Lambda, Step Functions and the other targets."""

from __future__ import annotations

from typing import Any

from moto.events.models import Rule

from sandbox.events.clock import Clock
from sandbox.events.delivery import Delivery
from sandbox.events.rules import Rules
from sandbox.runtime import Runtime

_running: list[tuple[Rules, Clock, Delivery]] = []


def install(runtime: Runtime) -> None:
    """Let moto's rules deliver and start the clock; called once, before the server listens."""
    delivery = Delivery(runtime)
    rules = Rules(runtime, delivery)
    _running[:] = [(rules, Clock(runtime, rules, delivery), delivery)]
    patched: Any = Rule
    patched.send_to_targets = _send_to_targets


def emit(source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
    """Offer an event of an AWS service to the rules of the default bus."""
    for rules, _, _ in _running:
        rules.emit(source, detail_type, detail, resources)


def shutdown() -> None:
    """Stop the clock and drop what is not delivered."""
    for _, clock, delivery in _running:
        clock.stop()
        delivery.stop()
    _running.clear()


def _send_to_targets(rule: Rule, original_event: Any, transform_input: bool = True) -> None:  # noqa: ARG001 - moto's
    for rules, _, _ in _running:
        rules.offer(rule, original_event)
