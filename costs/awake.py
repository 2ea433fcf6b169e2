"""How much of a month an endpoint that can sleep is awake, as far as its template says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from autoscaling.schedules import occurrences, parse_schedule
from costs.runs import YEAR
from costs.template import Resource, Template

PARAMETER = "EndpointState"
AWAKE, ASLEEP = "awake", "asleep"
NEXT_YEAR = YEAR + timedelta(days=365)


class Awake(NamedTuple):
    """Shares of the time, 0 to 1."""

    least: float
    """When nobody calls: what can only be put to sleep by hand sleeps all the time."""
    by_the_clock: float
    """As its schedules say, and nobody calls while it could sleep."""

    def __str__(self) -> str:
        """Write it behind a variant's bounds; nothing where the endpoint never sleeps."""
        if self == ALWAYS:
            return ""
        return ", may sleep" if self == BY_HAND else f", awake {self.by_the_clock:.0%} of the time"


ALWAYS, BY_HAND = Awake(1.0, 1.0), Awake(0.0, 1.0)


def awake(template: Template) -> Awake:
    """Return how much of the time the endpoint of a serving stack is awake."""
    if PARAMETER not in template.document.get("Parameters", {}):
        return ALWAYS
    switches = sorted(each for schedule in template.of_type("AWS::Scheduler::Schedule") for each in _switches(schedule))
    if {state for _, state in switches} != {AWAKE, ASLEEP}:
        return BY_HAND  # a clock that only sleeps, or only wakes, leaves the rest to somebody's hand
    state, since, hours = switches[-1][1], YEAR, timedelta()  # the year before ended as this one does
    for moment, switched in [*switches, (NEXT_YEAR, ASLEEP)]:
        hours += moment - since if state == AWAKE else timedelta()
        state, since = switched, moment
    share = hours / (NEXT_YEAR - YEAR)
    return Awake(share, share)


def _switches(schedule: Resource) -> Iterator[tuple[datetime, str]]:
    """Yield when in a year a schedule of the stack brings the endpoint into which state."""
    properties = schedule.properties
    state = json.loads(properties["Target"]["Input"])["state"]
    zone = ZoneInfo(properties.get("ScheduleExpressionTimezone", "UTC"))
    for moment in occurrences(parse_schedule(properties["ScheduleExpression"]), zone, YEAR, NEXT_YEAR, YEAR):
        yield moment, state
