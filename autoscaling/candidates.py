"""Policies the planner considers: recipes, their random draws and small changes, and AWS's rule.

A recipe speaks of utilisation (requests over what an instance can serve), a policy of requests a minute and instance:
the same recipe fits every instance type.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from autoscaling.policies import Policy, StepAdjustment, StepScalingPolicy, TargetTrackingPolicy, VariantScaling
from autoscaling.schedule_floor import Floor, floor_actions

# A step policy that scales out multiplies the capacity the more, the further the metric is beyond its threshold: the
# first number is the distance as a share of the threshold, the second what is then added as a share of the capacity.
OUT_STEPS = ((0.0, 0.25), (0.25, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 4.0))


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a candidate is made of; None leaves a part out."""

    minimum: int = 1
    target: float | None = None
    """Utilisation that target tracking keeps."""
    out_cooldown: int = 300
    in_cooldown: int = 300
    step_out: float | None = None
    """Utilisation at which one datapoint scales out."""
    step_out_gain: float = 1.0
    """Factor on OUT_STEPS."""
    step_out_cooldown: int = 300
    step_in: float | None = None
    """Utilisation below which instances are removed."""
    step_in_datapoints: int = 5
    step_in_percent: int = 30
    step_in_cooldown: int = 300
    floor_block_minutes: int | None = None
    """Length of the blocks of a daily schedule of minimum capacities."""
    floor_margin: float = 1.0
    """Factor on what a block usually needs."""


# What is drawn, and how often each value: fast scale-in below three datapoints is left out because how long an endpoint
# updates after it is assumed, and so is a target so high that one unlucky minute violates.
DRAWS: dict[str, Sequence[Any]] = {
    "target": tuple(np.arange(0.35, 0.96, 0.05).round(2).tolist()),
    "out_cooldown": (0, 60, 300, 600),
    "in_cooldown": (0, 60, 300, 600),
    "step_out": (None, None, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95),
    "step_out_gain": (0.5, 1.0, 1.5, 2.0),
    "step_out_cooldown": (60, 300),
    "step_in": (None, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7),
    "step_in_datapoints": (3, 4, 5, 8, 12),
    "step_in_percent": (10, 20, 30, 40, 50),
    "step_in_cooldown": (60, 120, 300),
    "floor_block_minutes": (None, None, None, 60, 120, 240),
    "floor_margin": (0.8, 1.0, 1.2),
}
_BUSY_AFTER_SCALE_IN = 0.95
_HYSTERESIS = 0.9
_CONTINUOUS = {"target": (0.3, 0.96), "step_out": (0.4, 0.98), "step_in": (0.15, 0.85)}


def policy_of(recipe: Recipe, per_minute: float, maximum: int, floor: Floor | None = None) -> VariantScaling:
    """Make the policy of a recipe.

    Parameters
    ----------
    recipe
        What it is made of.
    per_minute : requests / minute
        What one instance can serve.
    maximum
        Largest capacity.
    floor
        What the minutes of a day usually need; without it a recipe's floor is left out.

    Returns
    -------
    VariantScaling
        Valid, and fit for a lane.
    """
    policies: list[Policy] = []
    if recipe.target is not None:
        policies.append(
            TargetTrackingPolicy(
                target=_rounded(recipe.target * per_minute),
                scale_out_cooldown_seconds=recipe.out_cooldown,
                scale_in_cooldown_seconds=recipe.in_cooldown,
            )
        )
    if recipe.step_out is not None:
        policies.append(_step_out(recipe, _rounded(recipe.step_out * per_minute)))
    if recipe.step_in is not None:
        policies.append(_step_in(recipe, _rounded(recipe.step_in * per_minute)))
    minimum = min(recipe.minimum, maximum)
    if recipe.floor_block_minutes is not None and floor is not None:
        policies += floor_actions(floor, recipe.floor_block_minutes, recipe.floor_margin, minimum, maximum)
    return VariantScaling(min_capacity=minimum, max_capacity=maximum, policies=tuple(policies))


def _rounded(value: float) -> float:
    """Round to three digits: a threshold is no more precise than the capacity it rests on."""
    return float(f"{value:.3g}")


def _step_out(recipe: Recipe, threshold: float) -> StepScalingPolicy:
    bounds = [round(threshold * distance, 6) for distance, _ in OUT_STEPS]
    steps = tuple(
        StepAdjustment(lower_bound=low, upper_bound=high, adjustment=max(round(100 * added * recipe.step_out_gain), 1))
        for low, high, (_, added) in zip(bounds, [*bounds[1:], None], OUT_STEPS, strict=True)
    )
    return StepScalingPolicy(
        name="scale-out-fast",
        threshold=threshold,
        adjustment_type="percent_change_in_capacity",
        steps=steps,
        cooldown_seconds=recipe.step_out_cooldown,
    )


def _step_in(recipe: Recipe, threshold: float) -> StepScalingPolicy:
    return StepScalingPolicy(
        name="scale-in-fast",
        threshold=threshold,
        comparison="less_than_or_equal",
        evaluation_periods=recipe.step_in_datapoints,
        adjustment_type="percent_change_in_capacity",
        steps=(StepAdjustment(upper_bound=0.0, adjustment=-recipe.step_in_percent),),
        cooldown_seconds=recipe.step_in_cooldown,
    )


def aws_rule(per_minute: float, maximum: int) -> VariantScaling:
    """Make AWS's suggestion: target MAX_RPS x 0.5 x 60, cooldowns 300 s, minimum 1.

    Parameters
    ----------
    per_minute : requests / minute
        MAX_RPS x 60.
    maximum
        Largest capacity.

    Returns
    -------
    VariantScaling
        SageMaker developer guide, "Load testing your auto scaling configuration", with its first SAFETY_FACTOR.
    """
    policy = TargetTrackingPolicy(
        target=0.5 * per_minute, scale_out_cooldown_seconds=300, scale_in_cooldown_seconds=300
    )
    return VariantScaling(min_capacity=1, max_capacity=maximum, policies=(policy,))


def plain_recipes(maximum: int) -> list[Recipe]:
    """List the recipes that are always tried: fixed minimums, and plain target tracking over a grid.

    Parameters
    ----------
    maximum
        Largest capacity.

    Returns
    -------
    list of Recipe
        Without steps and schedules.
    """
    fixed = [Recipe(minimum=count) for count in range(1, maximum + 1)]
    tracking = [
        Recipe(minimum=minimum, target=target, in_cooldown=cooldown)
        for target in DRAWS["target"]
        for minimum in range(1, min(maximum, 6) + 1)
        for cooldown in (60, 300)
    ]
    return fixed + tracking


def drawn_recipe(random: np.random.Generator, maximum: int) -> Recipe:
    """Draw a recipe.

    Parameters
    ----------
    random
        The search's generator.
    maximum
        Largest capacity; minimums are drawn up to three fifths of it.

    Returns
    -------
    Recipe
        Always with target tracking: it is the net under the step policies.
    """
    values = {name: choices[int(random.integers(len(choices)))] for name, choices in DRAWS.items()}
    return steadied(Recipe(minimum=int(random.integers(1, max(3 * maximum // 5, 1) + 1)), **values), maximum)


def changed_recipe(recipe: Recipe, random: np.random.Generator, maximum: int) -> Recipe:
    """Change a recipe a little.

    Parameters
    ----------
    recipe
        Where to start.
    random
        The search's generator.
    maximum
        Largest capacity.

    Returns
    -------
    Recipe
        One to three parts redrawn, utilisations moved by a few per cent.
    """
    other = drawn_recipe(random, maximum)
    names = [field.name for field in fields(Recipe)]
    redrawn = random.choice(len(names), size=int(random.integers(0, 4)), replace=False)
    changed = replace(recipe, **{names[index]: getattr(other, names[index]) for index in redrawn.tolist()})
    moved: dict[str, Any] = {}
    for name, (low, high) in _CONTINUOUS.items():
        value = getattr(changed, name)
        if value is not None:
            moved[name] = float(np.clip(value + 0.03 * random.standard_normal(), low, high))
    return steadied(replace(changed, **moved), maximum)


def steadied(recipe: Recipe, maximum: int) -> Recipe:
    """Keep scale-in from asking for a scale-out at once, whatever the number of instances.

    Parameters
    ----------
    recipe
        Any.
    maximum
        Largest capacity.

    Returns
    -------
    Recipe
        Its step that scales in fires so late that the instances left are busy to 95 % at most, and below the step that
        scales out; it is left out where that is never.
    """
    if recipe.step_in is None:
        return recipe
    left = [
        max(count - max(count * recipe.step_in_percent // 100, 1), recipe.minimum) / count
        for count in range(recipe.minimum + 1, maximum + 1)
    ]
    highest = _BUSY_AFTER_SCALE_IN * min(left, default=0.0)
    if recipe.step_out is not None:
        highest = min(highest, _HYSTERESIS * recipe.step_out)
    threshold = min(recipe.step_in, highest)
    return replace(recipe, step_in=threshold if threshold >= _CONTINUOUS["step_in"][0] else None)
