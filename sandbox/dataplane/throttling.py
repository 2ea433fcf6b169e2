"""Token buckets and quotas, as API Gateway throttles.

References
----------
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_PERIODS = {"DAY": "%Y-%m-%d", "WEEK": "%G-%V", "MONTH": "%Y-%m"}


class TokenBucket:
    """Lets `rate` requests a second through in the long run, and `burst` at once."""

    __slots__ = ("_tokens", "_updated", "burst", "rate")

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)
        self._updated = 0.0

    def take(self, now: float) -> bool:
        """Take one token at `now` (seconds on a steady clock); return whether there was one."""
        if self._updated:
            self._tokens = min(self.burst, self._tokens + (now - self._updated) * self.rate)
        self._updated = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass
class Quota:
    """Lets `limit` requests a period through, for one API key."""

    limit: int
    period: str
    used: int = 0
    current: str = ""

    def take(self, now: float) -> bool:
        """Take one at `now` (seconds since the epoch); return whether one was left."""
        period = datetime.fromtimestamp(now, UTC).strftime(_PERIODS[self.period])
        if period != self.current:
            self.current, self.used = period, 0
        if self.used >= self.limit:
            return False
        self.used += 1
        return True


class Limits:
    """Keeps buckets and quotas by what they limit, over changes of everything around them."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, ...], TokenBucket] = {}
        self._quotas: dict[tuple[str, ...], Quota] = {}

    def bucket(self, throttle: dict[str, Any] | None, *key: str) -> TokenBucket | None:
        """Return the bucket under `key`, or None where ``{"rate", "burst"}`` sets no limit; new limits start full."""
        if throttle is None:
            return None
        rate, burst = float(throttle["rate"]), int(throttle["burst"])
        bucket = self._buckets.get(key)
        if bucket is None or (bucket.rate, bucket.burst) != (rate, burst):
            bucket = self._buckets[key] = TokenBucket(rate, burst)
        return bucket

    def quota(self, quota: dict[str, Any] | None, *key: str) -> Quota | None:
        """Return the quota under `key`, or None where ``{"limit", "period"}`` sets none; what is used stays used."""
        if quota is None:
            return None
        kept = self._quotas.get(key)
        if kept is None or kept.period != quota["period"]:
            kept = self._quotas[key] = Quota(int(quota["limit"]), quota["period"])
        kept.limit = int(quota["limit"])
        return kept
