"""Follow alarms through a replay, looking only where their state can change.

Gives the answers of :func:`autoscaling.alarms.evaluate` for a metric without missing data (a test holds them together)
at a fraction of its cost. A watch says whether its alarm's action is due, and until which tick that stays so.
"""

import math
from collections import deque
from collections.abc import Sequence

from autoscaling.alarms import COMPARISONS, Alarm, AlarmState, Reading, aggregate

NEVER = 1 << 60
_AHEAD = 16  # ticks; a longer look is often in vain


class Series:
    """A metric as it turns out: its past, and what is to come with the instances in service now."""

    def __init__(self, values: Sequence[float] = ()) -> None:
        self._past: list[float] = []
        self._coming = values

    def change(self, tick: int, values: Sequence[float]) -> None:
        """Follow other values, one for each tick of the replay, from a tick on."""
        self._past.extend(self._coming[len(self._past) : tick])
        self._coming = values

    def __getitem__(self, tick: int) -> float:
        past = self._past
        return past[tick] if tick < len(past) else self._coming[tick]

    def between(self, first: int, end: int) -> list[float]:
        """Values from a tick up to, not including, another one."""
        return [*self._past[first:end], *self._coming[max(first, len(self._past)) : end]]


class AlarmWatch:
    """Any alarm in a replay: counts the breaching datapoints of its window."""

    def __init__(
        self, alarm: Alarm, series: Series, *, tick_seconds: float, lag_ticks: int, action_delay_seconds: float
    ) -> None:
        self.alarm = alarm
        self.series = series
        self.period = round(alarm.period_seconds / tick_seconds)  # in ticks
        self.tick_seconds = tick_seconds
        self.lag = lag_ticks
        self.delay = math.ceil(min(action_delay_seconds, alarm.period_seconds) / tick_seconds)  # in ticks
        self.due = False
        """Whether the action is due."""
        self.until = alarm.evaluation_periods * self.period + lag_ticks
        """From which tick on that may be otherwise."""
        self._window: deque[bool] = deque(maxlen=alarm.evaluation_periods)  # which of the last datapoints breach
        self._seen = 0  # datapoints
        self._since = NEVER  # tick at which the alarm entered ALARM

    def look(self, tick: int) -> None:
        """Learn whether the action is due at a tick, and until when; the ticks ascend and none of `until` is left out.

        Parameters
        ----------
        tick
            Now.
        """
        published = (tick - self.lag) // self.period
        compare, threshold = COMPARISONS[self.alarm.comparison], self.alarm.threshold
        self._window += [compare(self.datapoint(index), threshold) for index in range(self._seen, published)]
        self._seen = published
        missing = self.alarm.datapoints_to_alarm - sum(self._window)
        if missing > 0:
            self._since, self.due = NEVER, False
            self.until = (published + missing) * self.period + self.lag
            return
        self._since = min(self._since, tick)
        self.due = tick >= self._since + self.delay
        self.until = tick + 1

    def datapoint(self, index: int) -> float:
        """Value of a datapoint that has been published."""
        if self.period == 1:
            return self.series[index]
        values = self.series.between(index * self.period, (index + 1) * self.period)
        if self.alarm.statistic == "sum":
            return sum(values)
        if self.alarm.statistic == "average":
            return sum(values) / len(values)
        return max(values) if self.alarm.statistic == "maximum" else min(values)

    def value(self, tick: int) -> float:
        """Metric that the alarm's action sees."""
        published = (tick - self.lag) // self.period
        if self.alarm.role != "step" or self.alarm.evaluation_periods == 1:
            return self.datapoint(published - 1)
        first = published - self.alarm.evaluation_periods
        return aggregate(self.alarm, [self.datapoint(index) for index in range(first, published)])

    def stays_between(self, low: float, high: float, tick: int, until: int) -> int:
        """Tick from which on the action may see a value outside of a range; it is inside now.

        Parameters
        ----------
        low, high
            The range.
        tick, until
            Now, and the latest tick to look at; only the next few ticks are.

        Returns
        -------
        int
            After the tick, at most `until`.
        """
        if self.period > 1:
            return tick + 1
        window = 1 if self.alarm.role != "step" else self.alarm.evaluation_periods
        until = min(until, tick + _AHEAD)
        oldest = tick + 1 - self.lag - window  # what the action sees is never outside of its datapoints' range
        for later, value in enumerate(self.series.between(oldest, until - self.lag - 1), start=oldest):
            if not low <= value <= high:
                return max(later + self.lag + 1, tick + 1)
        return until

    def datapoint_start(self, tick: int) -> float:
        """Start of the newest datapoint's period, in seconds."""
        return ((tick - self.lag) // self.period - 1) * self.period * self.tick_seconds

    def reading(self, tick: int) -> Reading:
        """Summarise the alarm as alarms.evaluate does; when it entered ALARM is left out."""
        if not self.due:
            return Reading(AlarmState.OK)
        return Reading(AlarmState.ALARM, 0.0, True, self.value(tick), self.datapoint_start(tick))
