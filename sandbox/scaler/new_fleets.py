"""The fleets that updates bring, counted apart from those they replace."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.scaler.counters import Counts, VariantKey
from sandbox.scaler.metrics import EndpointMetrics


class NewFleets:
    """What new fleets did since their last minute was published."""

    def __init__(self) -> None:
        self._since_minute: dict[VariantKey, Counts] = {}

    def count(self, news: Mapping[VariantKey, Counts], factor: float) -> None:
        """Add what happened in an interval, by endpoint and ``<variant>/<config>``; each request `factor` times."""
        for key, counts in news.items():
            self._since_minute[key] = self._since_minute.get(key, Counts()).plus(counts.times(factor))

    def publish(self, start: float) -> None:
        """Let CloudWatch show the minute that began at `start`; fleets without requests have no datapoints."""
        for (endpoint, fleet), counts in self._since_minute.items():
            variant, _, config = fleet.partition("/")
            if counts.values["Invocations"]:
                EndpointMetrics.publish(endpoint, variant, start, counts, {}, config=config)
        self._since_minute = {}
