"""Search policies: a grid of plain ones, random ones, then small changes of the best."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from autoscaling.candidates import Recipe, changed_recipe, drawn_recipe, plain_recipes, policy_of
from autoscaling.judging import InstanceOption, Score
from autoscaling.policies import VariantScaling
from autoscaling.schedule_floor import Floor

_PARENTS = 30


class Candidate(NamedTuple):
    """A policy on an instance type, with its score on the workload it is planned on."""

    option: InstanceOption
    policy: VariantScaling
    score: Score

    @property
    def parts(self) -> int:
        """How much there is to understand: four actions of a schedule count as one policy."""
        return len(self.policy.scaling_policies) + math.ceil(len(self.policy.scheduled_actions) / 4)


def search(
    option: InstanceOption,
    maximum: int,
    floor: Floor | None,
    *,
    judge: Callable[[Sequence[VariantScaling]], list[Score]],
    accept: Callable[[Score], bool],
    budget: int,
    rounds: int,
    seed: int,
) -> list[Candidate]:
    """Look for cheap policies that are acceptable.

    Parameters
    ----------
    option, maximum
        The instance type and its largest capacity.
    floor
        What the minutes of a day usually need, if that is known.
    judge
        Scores policies on the workload.
    accept
        Whether a score will do; the cheapest acceptable ones are changed further.
    budget
        Policies to judge in all.
    rounds
        How often the best are changed.
    seed
        Of the draws.

    Returns
    -------
    list of Candidate
        All that were judged.
    """
    random = np.random.default_rng(seed)
    plain = plain_recipes(maximum)
    a_round = max((budget - len(plain)) // (rounds + 2), 1)
    recipes = plain + [drawn_recipe(random, maximum) for _ in range(2 * a_round)]
    found: list[tuple[Recipe, Candidate]] = []
    seen: set[VariantScaling] = set()
    for _ in range(rounds + 1):
        policies = [(policy_of(recipe, option.per_minute, maximum, floor), recipe) for recipe in recipes]
        batch = {policy: recipe for policy, recipe in policies if policy not in seen}
        seen |= batch.keys()
        found += _judged(option, batch, judge)
        parents = sorted((item for item in found if accept(item[1].score)), key=lambda item: item[1].score.cost_usd)
        parents = parents[:_PARENTS] or [min(found, key=lambda item: item[1].score.worst_error_share)]
        recipes = [changed_recipe(parents[index % len(parents)][0], random, maximum) for index in range(a_round)]
    return [candidate for _, candidate in found]


def _judged(
    option: InstanceOption,
    batch: Mapping[VariantScaling, Recipe],
    judge: Callable[[Sequence[VariantScaling]], list[Score]],
) -> list[tuple[Recipe, Candidate]]:
    if not batch:
        return []
    scores = judge(list(batch))
    return [
        (recipe, Candidate(option, policy, score))
        for (policy, recipe), score in zip(batch.items(), scores, strict=True)
    ]
