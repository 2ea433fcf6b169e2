"""When scheduled actions take effect in a replay."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from autoscaling.policies import ScheduledAction
from autoscaling.schedules import occurrences, parse_schedule


def due_by_tick(
    actions: Sequence[ScheduledAction], ticks: int, tick_seconds: float, starts_at: datetime
) -> Iterator[tuple[int, list[ScheduledAction]]]:
    """Scheduled actions by the tick at which they take effect.

    Parameters
    ----------
    actions
        Of one variant.
    ticks, tick_seconds, starts_at
        The simulated time; an action due between two ticks waits for the later one.

    Yields
    ------
    tuple of int and list of ScheduledAction
        In order of time; ties in order of the policies.
    """
    ends_at = starts_at + timedelta(seconds=(ticks - 1) * tick_seconds)
    found: defaultdict[int, list[tuple[datetime, int]]] = defaultdict(list)
    for index, action in enumerate(actions):
        begin = max(starts_at, action.start_time or starts_at)
        end = min(ends_at, action.end_time or ends_at)
        moments = occurrences(
            parse_schedule(action.schedule),
            ZoneInfo(action.timezone),
            after=begin - timedelta(seconds=1),
            until=end,
            origin=action.start_time or starts_at,
        )
        for moment in moments:
            found[math.ceil((moment - starts_at).total_seconds() / tick_seconds)].append((moment, index))
    for tick in sorted(found):
        yield tick, [actions[index] for _, index in sorted(found[tick])]
