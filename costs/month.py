"""What is assumed of a month: how much is asked, how long jobs run, how much is kept.

A `Range` says each thing three times: when nobody calls, as expected, and at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

HOURS = 730.0  # of an average month, as AWS's own calculator counts
SECONDS = HOURS * 3600


class Range(NamedTuple):
    """A quantity or an amount of money a month; what is computed with an unknown price is not a number."""

    minimum: float
    expected: float
    maximum: float

    def times(self, factor: float) -> Range:
        """Return each value times a number."""
        return Range(*(value * factor for value in self))

    def plus(self, other: Range) -> Range:
        """Return the sums."""
        return Range(*(one + two for one, two in zip(self, other, strict=True)))

    @property
    def is_known(self) -> bool:
        """Whether no unknown price is in it."""
        return not any(math.isnan(value) for value in self)

    @classmethod
    def always(cls, value: float) -> Range:
        """Return a range of one value."""
        return cls(value, value, value)


NOTHING = Range(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Month:
    """One month.

    Parameters
    ----------
    requests : float
        Expected, to the API.
    predictions_share : float
        How many of them go to /predictions, and so through a function.
    runs : float
        Training runs beside those that a schedule starts.
    job_minutes : float
        What each job of a run takes.
    function_ms : float
        What the function behind /predictions takes: 21 to 26 ms were measured in the sandbox.
    log_bytes : int
        Of a request in the access log: such a line has about 500 characters.
    notebook_hours : float
        Of a notebook instance that stops when idle.
    stored_gb : float
        In each bucket.
    """

    requests: float = 0.0
    predictions_share: float = 1.0
    runs: float = 1.0
    job_minutes: float = 4.0
    function_ms: float = 30.0
    log_bytes: int = 500
    notebook_hours: float = 40.0
    stored_gb: float = 1.0
