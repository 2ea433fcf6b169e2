"""Choose a policy for a workload: the cheapest that serves no worse than AWS's rule, over the whole range of delays.

The rule of choice: no dearer than AWS's rule, and no more violating minutes than it, on average and at the worst delay
setting. Hindsight flatters, so the choice must also hold on rehearsals, days that might come next: no dearer there, and
at most a quarter per cent of the minutes more in violation. Whoever keeps the error limit comes first; if nobody does
at that price, the plan says so and proposes what would. A simpler policy is preferred to one that is hardly cheaper.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import numpy as np

from autoscaling.candidates import aws_rule
from autoscaling.capacity import Slo
from autoscaling.delays import DELAY_RANGE, Delays
from autoscaling.judging import Appraisal, InstanceOption, Score, Setting, appraise, judge
from autoscaling.policies import VariantScaling
from autoscaling.proposals import Peaks, Proposal, find_peaks, propose
from autoscaling.rehearsal import rehearsals
from autoscaling.schedule_floor import floor_of
from autoscaling.search import Candidate, search
from autoscaling.simulator import MONDAY
from autoscaling.workload import OpenLoop

_CHEAPEST, _OTHERS = 80, 120  # candidates that are rehearsed: the cheapest, and some of the rest evenly
_REHEARSALS = 5
_REHEARSED_EXCESS = 0.0025  # of the minutes: a quarter of what is bearable on a real next day
_SIMPLER_IS_WORTH = 0.01
_WORTH_TELLING = 0.0005  # of the cost: less is 0.0 %
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class PlanRequest:
    """What to plan for."""

    workload: OpenLoop
    options: tuple[InstanceOption, ...]
    """Instance types with measured capacities; the first one is that of AWS's rule."""
    maximum: int
    """Largest capacity of the first type; that of another type serves at least as many requests."""
    slo: Slo
    max_error_share: float = 0.01
    delays: tuple[Delays, ...] = DELAY_RANGE
    starts_at: datetime = MONDAY
    budget: int = 2000
    """Policies to judge."""
    rounds: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Plan:
    """The choice, what it is compared with, and why."""

    chosen: Appraisal
    aws_rule: Appraisal
    no_scaling: Appraisal
    front: tuple[Candidate, ...]
    """No other judged policy is both cheaper and better; ascending cost."""
    judged: int
    peaks: Peaks
    proposals: tuple[Proposal, ...]
    meets_slo: bool
    """Whether the choice keeps the error limit at every delay setting."""
    reasons: tuple[str, ...]


def plan(request: PlanRequest) -> Plan:
    """Choose a policy.

    Parameters
    ----------
    request
        What to plan for.

    Returns
    -------
    Plan
        Deterministic. The choice is AWS's rule itself if nothing better holds.
    """
    base = request.options[0]
    setting = Setting(request.slo, request.delays, request.starts_at)
    rule_policy = aws_rule(base.per_minute, request.maximum)
    rule = Candidate(base, rule_policy, judge([rule_policy], request.workload, base, setting)[0])
    accept = partial(_no_worse, rule=rule.score, max_error_share=request.max_error_share)
    candidates = [rule, *_search_all(request, setting, accept)]
    chosen = _choose(request, setting, rule, [candidate for candidate in candidates if accept(candidate.score)])
    appraised = [
        appraise(policy, request.workload, option, setting)
        for option, policy in (
            (chosen.option, chosen.policy),
            (base, rule_policy),
            (base, VariantScaling(min_capacity=1, max_capacity=request.maximum)),
        )
    ]
    peaks = find_peaks(request.workload, appraised[0], chosen.option, setting)
    meets_slo = appraised[0].score.worst_error_share <= request.max_error_share
    proposals = [] if meets_slo else propose(request.workload, chosen, peaks, setting, request.max_error_share)
    if not meets_slo and (cheapest := _cheapest_meeting(candidates, request.max_error_share)):
        proposals.append(Proposal("policy", "cheapest judged policy that keeps the error limit", *cheapest))
    return Plan(
        chosen=appraised[0],
        aws_rule=appraised[1],
        no_scaling=appraised[2],
        front=_front(candidates),
        judged=len(candidates),
        peaks=peaks,
        proposals=tuple(proposals),
        meets_slo=meets_slo,
        reasons=tuple(_reasons(request, appraised[0], appraised[1], peaks, meets_slo=meets_slo)),
    )


def evaluate(plan_made: Plan, workload: OpenLoop, request: PlanRequest) -> dict[str, Appraisal]:
    """Judge a plan on a workload it was not made on.

    Parameters
    ----------
    plan_made
        From plan.
    workload
        E.g. the next day.
    request
        The plan's.

    Returns
    -------
    dict of Appraisal
        `chosen`, `aws_rule` and `no_scaling`.
    """
    options = {option.instance_type: option for option in request.options}
    setting = Setting(request.slo, request.delays, request.starts_at)
    return {
        name: appraise(before.policy, workload, options[before.instance_type], setting)
        for name, before in (
            ("chosen", plan_made.chosen),
            ("aws_rule", plan_made.aws_rule),
            ("no_scaling", plan_made.no_scaling),
        )
    }


def _search_all(request: PlanRequest, setting: Setting, accept: Callable[[Score], bool]) -> list[Candidate]:
    found: list[Candidate] = []
    base = request.options[0]
    for option in request.options:
        maximum = int(np.ceil(request.maximum * base.per_minute / option.per_minute - _TOLERANCE))
        found += search(
            option,
            maximum,
            floor_of(request.workload, option.per_minute, request.starts_at),
            judge=partial(_judge_on, request.workload, option, setting),
            accept=accept,
            budget=request.budget // len(request.options),
            rounds=request.rounds,
            seed=request.seed,
        )
    return found


def _judge_on(
    workload: OpenLoop, option: InstanceOption, setting: Setting, policies: Sequence[VariantScaling]
) -> list[Score]:
    return judge(policies, workload, option, setting)


def _no_worse(score: Score, rule: Score, max_error_share: float) -> bool:
    """Whether a policy is no dearer than AWS's rule and serves no worse."""
    return (
        score.cost_usd <= rule.cost_usd + _TOLERANCE
        and score.slo_violation_minutes <= rule.slo_violation_minutes + _TOLERANCE
        and score.worst_violation_minutes <= rule.worst_violation_minutes + _TOLERANCE
        and score.worst_error_share <= max(rule.worst_error_share, max_error_share) + _TOLERANCE
    )


def _choose(request: PlanRequest, setting: Setting, rule: Candidate, acceptable: list[Candidate]) -> Candidate:
    """Take the cheapest acceptable policy, over the known day and the rehearsals, that holds on the rehearsals."""
    meeting = [candidate for candidate in acceptable if candidate.score.worst_error_share <= request.max_error_share]
    pool = meeting or acceptable
    by_cost = sorted(pool, key=lambda candidate: candidate.score.cost_usd)
    rest = by_cost[_CHEAPEST:]
    shortlist = by_cost[:_CHEAPEST] + rest[:: max(len(rest) // _OTHERS, 1)]
    days = rehearsals(request.workload, _REHEARSALS, request.seed)
    rule_rehearsed, *all_rehearsed = _rehearse([rule, *shortlist], days, setting)
    costs: list[tuple[float, Candidate]] = []
    for candidate, rehearsed in zip(shortlist, all_rehearsed, strict=True):
        excess = rehearsed.slo_violation_minutes - rule_rehearsed.slo_violation_minutes
        if (
            excess <= _REHEARSED_EXCESS * request.workload.minutes
            and rehearsed.cost_usd <= rule_rehearsed.cost_usd + _TOLERANCE
        ):
            costs.append((candidate.score.cost_usd + rehearsed.cost_usd, candidate))
    if not costs:
        return rule
    limit = min(cost for cost, _ in costs) * (1 + _SIMPLER_IS_WORTH)
    near = [(candidate.parts, cost, candidate) for cost, candidate in costs if cost <= limit]
    return min(near, key=lambda item: item[:2])[2]


def _rehearse(candidates: Sequence[Candidate], days: Sequence[OpenLoop], setting: Setting) -> list[Score]:
    """Mean score of each candidate over the rehearsals."""
    total = np.zeros((len(candidates), len(Score._fields)))
    for option in {candidate.option for candidate in candidates}:
        rows = [index for index, candidate in enumerate(candidates) if candidate.option == option]
        policies = [candidates[index].policy for index in rows]
        for day in days:
            total[rows] += np.array(judge(policies, day, option, setting))
    return [Score(*row) for row in (total / len(days)).tolist()]


def _front(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Keep the candidates that no other one beats in both cost and violating minutes."""
    front: list[Candidate] = []
    by_cost = sorted(
        candidates, key=lambda candidate: (candidate.score.cost_usd, candidate.score.slo_violation_minutes)
    )
    for candidate in by_cost:
        if not front or candidate.score.slo_violation_minutes < front[-1].score.slo_violation_minutes - _TOLERANCE:
            front.append(candidate)
    return tuple(front)


def _cheapest_meeting(candidates: Sequence[Candidate], max_error_share: float) -> Candidate | None:
    meeting = [candidate for candidate in candidates if candidate.score.worst_error_share <= max_error_share]
    return min(meeting, key=lambda candidate: candidate.score.cost_usd, default=None)


def _reasons(request: PlanRequest, chosen: Appraisal, rule: Appraisal, peaks: Peaks, *, meets_slo: bool) -> list[str]:
    cheaper = 1 - chosen.score.cost_usd / rule.score.cost_usd if rule.score.cost_usd else 0.0
    minutes, rule_minutes = chosen.score.slo_violation_minutes, rule.score.slo_violation_minutes
    price = f"{100 * cheaper:.1f} % cheaper than AWS's rule" if cheaper >= _WORTH_TELLING else "As dear as AWS's rule"
    better = (
        f"{price}, with {minutes:.1f} violating minutes against "
        f"{rule_minutes:.1f} (means over {len(request.delays)} delay settings)."
    )
    keep = "No policy that serves no worse than AWS's rule and costs less held on the rehearsals: keep the rule."
    reasons = [keep if chosen.policy == rule.policy else better]
    limit = f"{100 * request.max_error_share:g} % of the requests"
    if meets_slo:
        reasons.append(f"It keeps the error limit ({limit}) at every delay setting.")
    else:
        worst = f"{100 * chosen.score.worst_error_share:.2f} %"
        reasons.append(
            f"It does not keep the error limit ({limit}): {worst} fail or are late at the worst delay setting. No "
            "judged policy that costs no more than AWS's rule keeps it."
        )
    if peaks.too_short_for_scaling and not meets_slo:
        reasons.append(peaks.verdict)
    return reasons
