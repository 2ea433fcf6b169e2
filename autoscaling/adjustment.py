"""How much capacity a policy wants: AWS's arithmetic, before bounds, cooldowns and other policies count.

Target tracking's formula is not documented; `ceil(capacity x metric / target)` fits everything published.

References
----------
Application Auto Scaling user guide: "How step scaling works" (bounds and rounding of steps).
"""

import math

from autoscaling.alarms import Alarm
from autoscaling.policies import StepScalingPolicy

ROUNDING = 1e-9  # ceil(3.0000000000004) is 3: the quotient of two measured numbers is not exact
_INSIDE = 1e-6  # of an instance, or of a value: where rounding cannot matter


def wanted_capacity(alarm: Alarm, capacity: int, value: float) -> int:
    """Capacity that a firing alarm's policy wants.

    Parameters
    ----------
    alarm
        With its policy.
    capacity
        Current capacity.
    value
        What the alarm hands to its policy.

    Returns
    -------
    int
        Before the bounds.
    """
    policy = alarm.policy
    if policy.kind == "target_tracking":
        return math.ceil(capacity * value / policy.target - ROUNDING)
    return step_capacity(policy, capacity, value)


def same_wish(alarm: Alarm, capacity: int, value: float) -> tuple[float, float]:
    """Range of values at which a policy wants what it wants at one of them.

    Parameters
    ----------
    alarm, capacity, value
        As in wanted_capacity.

    Returns
    -------
    tuple of float
        Lowest and highest value, a little inside of the exact range; the value alone where no step covers it.
    """
    policy = alarm.policy
    if policy.kind == "target_tracking":
        wanted = wanted_capacity(alarm, capacity, value)
        return (wanted - 1 + _INSIDE) * policy.target / capacity, (wanted - _INSIDE) * policy.target / capacity
    for lower, upper, _ in policy.ranges:
        if lower < value - policy.threshold < upper:
            inside = _INSIDE * max(abs(policy.threshold), abs(value))
            return policy.threshold + lower + inside, policy.threshold + upper - inside
    return value, value


def step_capacity(policy: StepScalingPolicy, capacity: int, value: float) -> int:
    """Capacity a step policy wants, before the bounds.

    Parameters
    ----------
    policy
        The policy.
    capacity
        Current capacity.
    value
        The alarm's aggregated metric.

    Returns
    -------
    int
        The current capacity where no step covers the value.
    """
    breach = value - policy.threshold
    for lower, upper, adjustment in policy.ranges:
        above = breach >= 0 and lower <= breach < upper
        below = breach <= 0 and lower < breach <= upper
        if above or below:
            return _adjusted(policy, capacity, adjustment)
    return capacity


def _adjusted(policy: StepScalingPolicy, capacity: int, adjustment: int) -> int:
    if policy.adjustment_type == "exact_capacity":
        return adjustment
    if policy.adjustment_type == "change_in_capacity" or adjustment == 0:
        return max(capacity + adjustment, 0)
    # Towards zero, but never to zero: 0.3 is 1 and -0.3 is -1.
    magnitude = max(abs(capacity * adjustment) // 100, 1, policy.min_adjustment_magnitude or 0)
    return max(capacity + (magnitude if adjustment > 0 else -magnitude), 0)
