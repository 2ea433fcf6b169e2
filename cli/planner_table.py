"""The planner on many traces: in hindsight, on other days of the same kind, and in SPEC's measures of elasticity."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.elasticity import Elasticity, speed_up
from autoscaling.judging import InstanceOption, Score
from autoscaling.planner import Plan, PlanRequest, evaluate, plan
from autoscaling.policies import VariantScaling
from autoscaling.simulator import simulate
from autoscaling.workload import OpenLoop
from cli.plan_report import describe
from cli.scaling_options import PEAK_UTILISATION, Format, read_workload
from cli.simulation_report import aligned, table_as_csv

PEAK_INSTANCES = 10
MAX_RPS = 1200.0
_DAY_MINUTES = 22 * 60  # a trace of so many minutes counts as a day

_INTRODUCTION = f"""# The planner on day-long traces

Written by `sagescale experiment plans TRACE... --write docs/planner.md`. Each trace is scaled so that its busiest
minute loads {PEAK_INSTANCES} instances of {MAX_RPS:g} requests/s to 97 %. Cost and violating minutes are means over six
delay settings (lag 1 and 2 minutes, provisioning 5, 6 and 7). The rule is AWS's: half of what an instance can serve,
cooldowns of 300 s, minimum 1, the same maximum. What the model cannot know is in [model.md](model.md).
"""
_EXPLANATION = """
Rows judged on the trace they were planned on are hindsight; the others judge a plan on a day it has not seen.

## Chosen policies
"""
_HEADER = ("planned on", "judged on", "rule USD", "chosen USD", "saved %", "rule min", "chosen min", "more % of min")


class Judgement(NamedTuple):
    """A plan, judged on a trace."""

    planned_on: str
    judged_on: str
    aws_rule: Score
    chosen: Score
    minutes: int
    policy: VariantScaling

    @property
    def saved(self) -> float:
        """Share of the cost of AWS's rule."""
        return 1 - self.chosen.cost_usd / self.aws_rule.cost_usd

    @property
    def more_violations(self) -> float:
        """Violating minutes beyond those of AWS's rule, as a share of all minutes."""
        return (self.chosen.slo_violation_minutes - self.aws_rule.slo_violation_minutes) / self.minutes


def read_traces(traces: Sequence[Path], shortest: int) -> dict[str, OpenLoop]:
    """Read the traces of some length, scaled so that their busiest minute loads ten instances to 97 %.

    Raises
    ------
    ValueError
        What is wrong with a file, or that none is long enough.
    """
    found = {}
    for path in traces:
        workload = read_workload(str(path), None, InstanceCapacity())
        if isinstance(workload, OpenLoop) and workload.minutes >= shortest:
            found[path.stem] = workload.scaled_to(PEAK_UTILISATION * PEAK_INSTANCES * MAX_RPS * 60)
    if not found:
        raise ValueError(f"no trace of {shortest} minutes or more among {', '.join(map(str, traces))}")
    return found


def make(traces: Sequence[Path], instance_type: str, usd_per_hour: float) -> list[Judgement]:
    """Plan on every day and judge on it and on the others of its kind (names that differ in their last number)."""
    days = read_traces(traces, _DAY_MINUTES)
    rows = []
    for name, workload in days.items():
        request = _request(workload, instance_type, usd_per_hour)
        made = plan(request)
        rows.append(_row(name, name, made, workload.minutes))
        for other, second in days.items():
            if other != name and _kind(other) == _kind(name):
                found = evaluate(made, second, request)
                rule, chosen = found["aws_rule"].score, found["chosen"].score
                rows.append(Judgement(name, other, rule, chosen, second.minutes, made.chosen.policy))
    return rows


def _kind(name: str) -> str:
    return re.sub(r"\d+$", "", name)


def _request(workload: OpenLoop, instance_type: str, usd_per_hour: float) -> PlanRequest:
    option = InstanceOption(instance_type, InstanceCapacity(max_rps=MAX_RPS), usd_per_hour)
    return PlanRequest(workload=workload, options=(option,), maximum=PEAK_INSTANCES, slo=Slo())


def _row(planned_on: str, judged_on: str, made: Plan, minutes: int) -> Judgement:
    return Judgement(planned_on, judged_on, made.aws_rule.score, made.chosen.score, minutes, made.chosen.policy)


def _cells(rows: Sequence[Judgement]) -> list[list[str]]:
    cells = [
        [
            row.planned_on,
            row.judged_on,
            f"{row.aws_rule.cost_usd:.2f}",
            f"{row.chosen.cost_usd:.2f}",
            f"{100 * row.saved:.1f}",
            f"{row.aws_rule.slo_violation_minutes:.1f}",
            f"{row.chosen.slo_violation_minutes:.1f}",
            f"{100 * row.more_violations:+.2f}",
        ]
        for row in rows
    ]
    hindsight = [row for row in rows if row.planned_on == row.judged_on]
    rule, chosen = (sum(getattr(row, who).cost_usd for row in hindsight) for who in ("aws_rule", "chosen"))
    saved = f"{100 * (1 - chosen / rule):.1f}"
    return [*cells, ["all", "themselves", f"{rule:.2f}", f"{chosen:.2f}", saved, "", "", ""]]


def render(rows: Sequence[Judgement], output_format: Format) -> str:
    """Write the table."""
    if output_format is Format.JSON:
        return json.dumps([_as_dict(row) for row in rows], indent=2)
    if output_format is Format.CSV:
        return table_as_csv(_HEADER, _cells(rows))
    return "\n".join(aligned(_HEADER, _cells(rows)))


def _as_dict(row: Judgement) -> dict[str, Any]:
    return {
        "planned_on": row.planned_on,
        "judged_on": row.judged_on,
        "aws_rule": row.aws_rule._asdict(),
        "chosen": row.chosen._asdict(),
        "saved": row.saved,
        "more_violations": row.more_violations,
        "policy": row.policy.model_dump(mode="json", exclude_none=True),
    }


def as_markdown(rows: Sequence[Judgement]) -> str:
    """Write the table with what it means, as it stands in docs/."""
    body = [f"| {' | '.join(cells)} |" for cells in [list(_HEADER), ["---", "---", *["---:"] * 6], *_cells(rows)]]
    policies = [f"- {row.planned_on}: {describe(row.policy)}" for row in rows if row.planned_on == row.judged_on]
    return "\n".join([_INTRODUCTION, *body, _EXPLANATION, *policies, ""])


def elasticities(traces: Sequence[Path], instance_type: str, usd_per_hour: float) -> list[dict[str, Any]]:
    """Measure no scaling, AWS's rule and the planner's choice on every trace, means over the delay settings."""
    rows = []
    for name, workload in read_traces(traces, shortest=1).items():
        request = _request(workload, instance_type, usd_per_hour)
        made = plan(request)
        policies = {
            "no_scaling": made.no_scaling.policy,
            "aws_rule": made.aws_rule.policy,
            "chosen": made.chosen.policy,
        }
        found = {who: _elasticity(policy, request) for who, policy in policies.items()}
        rows += [
            {"trace": name, "policy": who, **value._asdict(), "speed_up": speed_up(found["no_scaling"], value)}
            for who, value in found.items()
        ]
    return rows


def _elasticity(policy: VariantScaling, request: PlanRequest) -> Elasticity:
    option = request.options[0]
    values = [
        simulate(policy, request.workload, capacity=option.capacity, slo=request.slo, delays=delays).elasticity
        for delays in request.delays
    ]
    return Elasticity(*np.mean(np.array(values), axis=0).tolist())


def render_elasticities(rows: Sequence[dict[str, Any]], output_format: Format) -> str:
    """Write the measures; a speed-up that has no value is written as -."""
    cells = [[value if isinstance(value, str) else _number(value) for value in row.values()] for row in rows]
    if output_format is Format.JSON:
        return json.dumps([{key: _or_none(value) for key, value in row.items()} for row in rows], indent=2)
    if output_format is Format.CSV:
        return table_as_csv(rows[0].keys(), cells)
    return "\n".join(aligned(list(rows[0].keys()), cells))


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
