"""Pass or fail, judged on the whole test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loadtest.results import Samples


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """What a load test must reach.

    Parameters
    ----------
    max_p95_ms : float, milliseconds
        Of the requests that were answered well.
    max_error_share : float
        Of all requests, 0 to 1.
    max_5xx_share : float
        Of all requests, 0 to 1.
    min_rps : float, requests / s
        Answered well, averaged over the test.
    """

    max_p95_ms: float = 2000.0
    max_error_share: float = 0.01
    max_5xx_share: float = 0.0
    min_rps: float = 1.0

    def failures(self, samples: Samples) -> list[str]:
        """Return why the test failed: what came, what was wanted; nothing if it passed."""
        if not samples.codes.size:
            return ["no samples: the load generator sent no request"]
        good = ~samples.failed
        p95 = float(np.percentile(samples.latency_ms[good], 95)) if good.any() else float("inf")
        return [
            f"{name} is {value:.4g}, {relation} {bound:.4g} is wanted"
            for name, value, relation, bound, kept in self._checks(samples, p95)
            if not kept
        ]

    def _checks(self, samples: Samples, p95: float) -> list[tuple[str, float, str, float, bool]]:
        errors = float(samples.failed.mean())
        server = float((samples.codes >= 500).mean())
        rate = float((~samples.failed).sum()) / max(samples.seconds, 1e-9)
        return [
            ("p95 in ms", p95, "at most", self.max_p95_ms, p95 <= self.max_p95_ms),
            ("error share", errors, "at most", self.max_error_share, errors <= self.max_error_share),
            ("share of 5xx", server, "at most", self.max_5xx_share, server <= self.max_5xx_share),
            ("throughput in requests/s", rate, "at least", self.min_rps, rate >= self.min_rps),
        ]
