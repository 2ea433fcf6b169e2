"""A plan as text, JSON or CSV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autoscaling.judging import Appraisal, Score
from autoscaling.planner import Plan, PlanRequest
from autoscaling.policies import ScheduledAction, StepScalingPolicy, VariantScaling
from autoscaling.search import Candidate
from cli.scaling_options import Format
from cli.simulation_report import aligned, table_as_csv

_FRONT_ROWS = 12


def render(
    made: Plan, second: dict[str, Appraisal] | None, request: PlanRequest, output: Path, output_format: Format
) -> str:
    """Write a plan in a format.

    Parameters
    ----------
    made
        The plan.
    second
        Its judgement on a second workload, if there is one.
    request
        What it was made for.
    output
        Where its policy was written.
    output_format
        CSV holds the Pareto front alone.

    Returns
    -------
    str
        Without a newline at the end.
    """
    if output_format is Format.JSON:
        return json.dumps(as_dict(made, second, request), indent=2)
    if output_format is Format.CSV:
        header = ["instance_type", *Score._fields, "policy"]
        return table_as_csv(header, ([c.option.instance_type, *c.score, describe(c.policy)] for c in made.front))
    return _as_text(made, second, request, output)


def as_dict(made: Plan, second: dict[str, Appraisal] | None, request: PlanRequest) -> dict[str, Any]:
    """Plain values of a plan.

    Parameters
    ----------
    made, second, request
        As in render.

    Returns
    -------
    dict
        `chosen`, `aws_rule` and `no_scaling`, with `evaluation` the same three on the second workload.
    """
    content: dict[str, Any] = {
        "slo_p95_ms": request.slo.p95_ms,
        "max_error_share": request.max_error_share,
        "maximum": request.maximum,
        "minutes": request.workload.minutes,
        "judged": made.judged,
        "delays": [delays.model_dump() for delays in request.delays],
        "chosen": made.chosen.as_dict(),
        "aws_rule": made.aws_rule.as_dict(),
        "no_scaling": made.no_scaling.as_dict(),
        "meets_slo": made.meets_slo,
        "autoscaling_cannot_help": made.peaks.too_short_for_scaling and not made.meets_slo,
        "reasons": list(made.reasons),
        "proposals": [proposal.as_dict() for proposal in made.proposals],
        "front": [_candidate(candidate) for candidate in made.front],
    }
    if second is not None:
        content["evaluation"] = {name: appraisal.as_dict() for name, appraisal in second.items()}
    return content


def _candidate(candidate: Candidate) -> dict[str, Any]:
    policy = candidate.policy.model_dump(mode="json", exclude_none=True)
    return {"instance_type": candidate.option.instance_type, **candidate.score._asdict(), "policy": policy}


def describe(policy: VariantScaling) -> str:
    """Say in one line what a policy does."""
    if not policy.policies:
        return f"what the first minute needs, at least {policy.min_capacity}, all the time"
    parts = [f"min {policy.min_capacity}"]
    for each in policy.scaling_policies:
        if isinstance(each, StepScalingPolicy):
            sign = ">=" if each.comparison.startswith("greater") else "<="
            percents = "/".join(f"{step.adjustment:+d}" for step in each.steps)
            parts.append(f"{sign} {each.threshold:g} for {each.evaluation_periods} min: {percents} %")
        else:
            cooldowns = f"{each.scale_out_cooldown_seconds}/{each.scale_in_cooldown_seconds}"
            parts.append(f"target {each.target:g} ({cooldowns} s)")
    scheduled: list[ScheduledAction] = list(policy.scheduled_actions)
    if scheduled:
        parts.append(f"{len(scheduled)} scheduled actions")
    return ", ".join(parts)


def _as_text(made: Plan, second: dict[str, Appraisal] | None, request: PlanRequest, output: Path) -> str:
    three = {"chosen": made.chosen, "aws_rule": made.aws_rule, "no_scaling": made.no_scaling}
    head = (
        f"{made.judged} policies judged at {len(request.delays)} delay settings each; "
        f"p95 <= {request.slo.p95_ms:g} ms, at most {request.maximum} instances"
    )
    lines = [head, "", *_appraisals(three)]
    if second is not None:
        lines += ["", "judged on the second workload", "", *_appraisals(second)]
    lines += ["", *made.reasons]
    if made.proposals:
        lines += ["", "What would keep the limit"]
        lines += [
            f"  {proposal.score.cost_usd:.2f} USD, {proposal.score.slo_violation_minutes:.1f} violating minutes: "
            f"{proposal.text} ({describe(proposal.policy)})"
            for proposal in made.proposals
        ]
    front = "Pareto front on this workload; the chosen policy must hold on changed ones, too, so it may lie behind it"
    lines += ["", front, "", *_front_lines(made), "", f"The chosen policy is in {output}."]
    return "\n".join(lines)


def _appraisals(found: dict[str, Appraisal]) -> list[str]:
    header = ["", "USD", "violating min", "(worst)", "bad %", "(worst)", "policy"]
    rows = [
        [
            name.replace("_", " "),
            f"{appraisal.score.cost_usd:.2f}",
            f"{appraisal.score.slo_violation_minutes:.1f}",
            f"{appraisal.score.worst_violation_minutes:.0f}",
            f"{100 * appraisal.score.error_share:.2f}",
            f"{100 * appraisal.score.worst_error_share:.2f}",
            f"{appraisal.instance_type}: {describe(appraisal.policy)}",
        ]
        for name, appraisal in found.items()
    ]
    return aligned(header, rows)


def _front_lines(made: Plan) -> list[str]:
    step = max(-(-len(made.front) // _FRONT_ROWS), 1)
    rows = [
        [
            f"{candidate.score.cost_usd:.2f}",
            f"{candidate.score.slo_violation_minutes:.1f}",
            f"{100 * candidate.score.worst_error_share:.2f}",
            describe(candidate.policy),
        ]
        for candidate in made.front[::step]
    ]
    return aligned(["USD", "violating min", "worst bad %", "policy"], rows)
