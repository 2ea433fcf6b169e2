"""Follow an alarm whose datapoints, one a tick, must all breach: every alarm of target tracking is one.

How long each run of breaching datapoints will be is known beforehand for any number of instances in service, so the
watch looks only where a run becomes long enough, or ends, or the instances change.
"""

from bisect import bisect_left, bisect_right
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoscaling.alarm_watch import NEVER, AlarmWatch, Series
from autoscaling.alarms import Alarm


class Runs(NamedTuple):
    """Runs of breaching datapoints, were some number of instances in service: where each begins and ends, in turn."""

    edges: list[int]
    long_edges: list[int]
    """Of the runs that are long enough for the action; after them one that never begins."""

    @classmethod
    def of(cls, breaching: NDArray[np.bool_], needed: int) -> "Runs":
        """Find the runs of True, and those of at least so many."""
        edges = ((breaching[1:] != breaching[:-1]).nonzero()[0] + 1).tolist()
        if breaching[0]:
            edges.insert(0, 0)
        if breaching[-1]:
            edges.append(breaching.size)
        runs = zip(edges[::2], edges[1::2], strict=True)
        return cls(edges, [*chain.from_iterable(run for run in runs if run[1] - run[0] >= needed), NEVER, NEVER])

    def begin_at(self, tick: int) -> int:
        """Begin of the run that the datapoint before is part of; the datapoint itself if that does not breach."""
        edge = bisect_left(self.edges, tick)
        return self.edges[edge - 1] if edge % 2 else tick

    def end_at(self, tick: int) -> int:
        """End of the run that a datapoint is part of; the datapoint itself if it does not breach."""
        edge = bisect_right(self.edges, tick)
        return self.edges[edge] if edge % 2 else tick

    def long_after(self, tick: int) -> tuple[int, int]:
        """Begin and end of the first long run that ends after a tick."""
        edge = bisect_right(self.long_edges, tick)
        begin = edge - edge % 2
        return self.long_edges[begin], self.long_edges[begin + 1]


class _Span(NamedTuple):
    """Datapoints made with the same instances in service."""

    first: int
    runs: Runs
    joined: int
    """Where the run began that breaches up to the datapoint before the first one; the first one if none does."""
    joined_end: int
    """Where it ends."""

    def begin_at(self, tick: int) -> int:
        """Begin of the run that goes up to a datapoint in the span, not including it; the datapoint itself if none."""
        return self.joined if tick <= self.joined_end else self.runs.begin_at(tick)


class RunWatch(AlarmWatch):
    """An alarm of this kind in a replay."""

    def __init__(
        self, alarm: Alarm, series: Series, *, tick_seconds: float, lag_ticks: int, action_delay_seconds: float
    ) -> None:
        super().__init__(
            alarm, series, tick_seconds=tick_seconds, lag_ticks=lag_ticks, action_delay_seconds=action_delay_seconds
        )
        self.needed = alarm.datapoints_to_alarm + self.delay
        """Datapoints that breach until the action is due."""
        self._spans: list[_Span] = []
        self._current = 0  # the span of the newest published datapoint

    @staticmethod
    def fits(alarm: Alarm, tick_seconds: float) -> bool:
        """Whether an alarm is of this kind."""
        return alarm.period_seconds == tick_seconds and alarm.datapoints_to_alarm == alarm.evaluation_periods

    def change(self, tick: int, runs: Runs) -> None:
        """Follow other runs from a tick on, because other instances are in service.

        Parameters
        ----------
        tick
            Not before that of the change before.
        runs
            With the instances in service now.
        """
        joined = tick
        if self._spans:
            before = self._spans[-1]
            joined = before.begin_at(tick) if before.first < tick else self._spans.pop().joined
        self._spans.append(_Span(tick, runs, joined, runs.end_at(tick)))
        self.until = min(self.until, tick + self.lag + 1)  # until then the datapoints of before the change are seen

    def look(self, tick: int) -> None:
        """Learn whether the action is due at a tick, and until when."""
        newest, spans = tick - self.lag - 1, self._spans
        while self._current + 1 < len(spans) and spans[self._current + 1].first <= newest:
            self._current += 1
        span = spans[self._current]
        limit = spans[self._current + 1].first if self._current + 1 < len(spans) else NEVER
        begin, end = span.joined, span.joined_end
        if end <= newest or end - begin < self.needed:
            begin, end = span.runs.long_after(max(newest, end))
        enough = begin + self.needed - 1  # the datapoint that makes the run long enough
        self.due = enough <= newest
        self.until = min(end if self.due else enough, limit) + self.lag + 1
