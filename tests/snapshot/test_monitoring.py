"""Alarms and dashboards name metrics that AWS publishes, and every alarm says what to do."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stacks.constructs.endpoint_metrics import vcpus
from tests.snapshot.aws_metrics import METRICS

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Named:
    """A metric that a template names."""

    where: str
    namespace: str
    name: str
    dimensions: frozenset[str]
    statistic: str
    period_seconds: int
    unit: str | None = None


def stack(env: str, templates: dict[str, Any]) -> dict[str, Any]:
    resources: dict[str, Any] = templates[f"kdd99-{env}-monitoring"]["Resources"]
    return resources


def alarms(resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {n: r["Properties"] for n, r in resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"}


def of_alarms(resources: dict[str, Any]) -> Iterator[Named]:
    for where, alarm in alarms(resources).items():
        if "MetricName" in alarm:
            yield _named(where, alarm, alarm.get("Statistic") or alarm["ExtendedStatistic"], alarm["Period"])
        for query in alarm.get("Metrics", []):
            if "MetricStat" in query:
                stat = query["MetricStat"]
                yield _named(where, stat["Metric"], stat["Stat"], stat["Period"], stat.get("Unit"))


def _named(where: str, metric: dict[str, Any], statistic: str, period: int, unit: str | None = None) -> Named:
    dimensions = frozenset(dimension["Name"] for dimension in metric["Dimensions"])
    unit = unit or metric.get("Unit")
    return Named(where, metric["Namespace"], metric["MetricName"], dimensions, statistic, period, unit)


def of_dashboard(resources: dict[str, Any]) -> Iterator[Named]:
    (dashboard,) = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::CloudWatch::Dashboard"]
    text = "".join(part if isinstance(part, str) else "TOKEN" for part in dashboard["DashboardBody"]["Fn::Join"][1])
    for widget in json.loads(text)["widgets"]:
        for metric in widget["properties"]["metrics"]:
            if not isinstance(metric[0], str):
                continue  # an expression over the others
            *path, options = metric if isinstance(metric[-1], dict) else [*metric, {}]
            namespace, name, *dimensions = path
            period = options.get("period", 300)
            where = widget["properties"]["title"]
            yield Named(where, namespace, name, frozenset(dimensions[::2]), options.get("stat", "Average"), period)


@pytest.mark.parametrize("env", ["dev", "prod", "sandbox"])
def test_every_metric_is_one_that_aws_publishes(env: str, templates: dict[str, Any]) -> None:
    serving = templates[f"kdd99-{env}-serving"]["Resources"]
    named = [*of_alarms(stack(env, templates)), *of_alarms(serving), *of_dashboard(stack(env, templates))]
    assert len(named) > 20
    for metric in named:
        published = METRICS[metric.namespace][metric.name]
        assert metric.dimensions in published.dimensions, metric
        assert metric.statistic in published.statistics, metric
        assert metric.unit in {None, published.unit}, metric
        assert metric.period_seconds >= 60, metric


@pytest.mark.parametrize("env", ["dev", "prod", "sandbox"])
def test_every_alarm_tells_somebody_and_links_to_a_runbook_that_is_there(env: str, templates: dict[str, Any]) -> None:
    found = alarms(stack(env, templates))
    assert len(found) == 5
    for alarm in found.values():
        assert_tells_what_to_do(alarm)
        assert alarm["TreatMissingData"] == "notBreaching"


def assert_tells_what_to_do(alarm: dict[str, Any]) -> None:
    lines = (ROOT / "docs" / "operations.md").read_text().splitlines()
    titles = [line.lstrip("#").lower() for line in lines if line.startswith("##")]
    headings = {re.sub(r"[^a-z0-9 -]", "", title).strip().replace(" ", "-") for title in titles}
    file, _, anchor = alarm["AlarmDescription"].rpartition(" ")[2].partition("#")
    assert (file, anchor in headings) == ("docs/operations.md", True), alarm["AlarmDescription"]
    assert alarm["AlarmActions"] == alarm["OKActions"] != []


def test_latency_alarm_compares_milliseconds_with_the_metrics_microseconds(templates: dict[str, Any]) -> None:
    (alarm,) = [a for n, a in alarms(stack("prod", templates)).items() if "mainLatency" in n]
    (expression,) = [query["Expression"] for query in alarm["Metrics"] if "Expression" in query]
    assert (expression, alarm["Threshold"]) == ("latency_p99 / 1000", 1000)


def test_limit_alarm_goes_off_at_max_capacity(templates: dict[str, Any]) -> None:
    (alarm,) = [a for n, a in alarms(stack("prod", templates)).items() if "mainAtLimit" in n]
    assert 9 < alarm["Threshold"] < 10
    assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"] == 15


@pytest.mark.parametrize(
    ("instance_type", "count"),
    [("ml.t2.medium", 2), ("ml.m5.large", 2), ("ml.m4.xlarge", 4), ("ml.c5.2xlarge", 8), ("ml.c4.8xlarge", 36)],
)
def test_vcpus_follow_the_size(instance_type: str, count: int) -> None:
    assert vcpus(instance_type) == count
