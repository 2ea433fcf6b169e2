"""The bill is read from the templates: what changes there changes it, and nothing in them is overlooked."""

import copy
import json
from typing import Any

import aws_cdk as cdk
import pytest

from config.settings import Settings
from costs.bill import PRICED, Tariff, bill, total
from costs.month import HOURS, Month, Range
from costs.resources import FREE
from costs.service_prices import shipped_service_prices
from costs.template import Template
from stacks.stage import add_stacks
from tests.feature_flags import UNVALIDATED

RECORDS = {"train": "s3://records/train/", "test": "s3://records/test.gz"}
EVERYTHING: dict[str, Any] = {
    "project": {"name": "kdd99"},
    "dataset": RECORDS,
    "training": {"retraining": {"schedule": "rate(1 day)", "on_new_data": True, "notify": ["ops@example.org"]}},
    "api": {"auth": "cognito", "firewall": {}, "cors_origin": "https://example.org"},
    "endpoint": {"data_capture": {}},
    "monitoring": {"drift": {"schedule": "rate(12 hours)"}, "budget": {"monthly_usd": 100}},
    "notebook": {},
    "network": {},
}
TARIFF = Tariff(
    month=Month(requests=2_000_000),
    services=shipped_service_prices(),
    instance_usd_per_hour=lambda _: 1.0,
    variant_hours=lambda variant: variant.scaling.min_capacity * HOURS,
)
Templates = dict[str, dict[str, Any]]


def of(templates: Templates, *things: str, env: str = "prod") -> list[Template]:
    return [Template(f"kdd99-{env}-{thing}", templates[f"kdd99-{env}-{thing}"]) for thing in things]


def billed(documents: list[Template]) -> dict[str, Range]:
    return {item.what: item.usd for item in bill(documents, TARIFF)}


def changed(templates: Templates, thing: str, resource_type: str, **properties: Any) -> float:
    """How much more the stack costs at most when one resource's properties are others."""
    document = copy.deepcopy(templates[f"kdd99-prod-{thing}"])
    (resource,) = [each for each in document["Resources"].values() if each["Type"] == resource_type]
    resource["Properties"] |= properties
    before = total(bill(of(templates, thing), TARIFF)).maximum
    return total(bill([Template(f"kdd99-prod-{thing}", document)], TARIFF)).maximum - before


@pytest.mark.parametrize("env", ["dev", "prod", "sandbox"])
def test_every_resource_of_every_environment_is_priced_or_free_with_a_reason(env: str, templates: Templates) -> None:
    usd = total(bill(of(templates, "storage", "training", "serving", "monitoring", env=env), TARIFF))
    assert 0 < usd.minimum < usd.expected < usd.maximum


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> list[Template]:
    folder = tmp_path_factory.mktemp("costs")
    app = cdk.App(outdir=str(folder), context=UNVALIDATED)
    add_stacks(app, env="all", settings=Settings.model_validate(EVERYTHING), root=folder)
    app.synth()
    return [
        Template(path.name.split(".")[0], json.loads(path.read_text()))
        for path in sorted(folder.glob("*.template.json"))
    ]


def test_everything_that_settings_can_add_is_priced_or_free(everything: list[Template]) -> None:
    lines = billed(everything)
    assert "notebook on ml.m4.xlarge" in lines
    assert any("firewall" in line for line in lines)


def test_a_schedule_adds_runs(everything: list[Template]) -> None:
    (line,) = [name for name in billed(everything) if name.startswith("runs of Workflow")]
    assert line.endswith("30.4167 of them scheduled")  # 365 days / 12
    assert any(name.startswith("runs of Drift") and "60.8333 of them" in name for name in billed(everything))
    minutes = 30 + 5 / 12
    assert billed(everything)[line].minimum == pytest.approx(minutes * 3 * 4 / 60, rel=0.01)  # three jobs, four minutes


def test_no_type_is_both_priced_and_free() -> None:
    assert not PRICED.keys() & FREE.keys()


def test_instances_cost_their_bounds(templates: Templates) -> None:
    lines = billed(of(templates, "serving"))
    assert lines["variant main: 2 to 10 ml.m4.xlarge"] == (2 * HOURS, 2 * HOURS, 10 * HOURS)


def test_changed_bounds_change_the_cost(templates: Templates) -> None:
    target = "AWS::ApplicationAutoScaling::ScalableTarget"
    assert changed(templates, "serving", target, MaxCapacity=12) == pytest.approx(2 * HOURS)


def test_changed_instance_type_changes_the_cost(templates: Templates) -> None:
    document = copy.deepcopy(templates["kdd99-prod-serving"])
    text = json.dumps(document).replace("ml.m4.xlarge", "ml.m5.large")
    lines = billed([Template("kdd99-prod-serving", json.loads(text))])
    assert "variant main: 2 to 10 ml.m5.large" in lines


def test_changed_throttle_changes_the_maximum(templates: Templates) -> None:
    settings = [{"HttpMethod": "*", "ResourcePath": "/*", "ThrottlingRateLimit": 0.001}]
    assert changed(templates, "serving", "AWS::ApiGateway::Stage", MethodSettings=settings) < -10_000


def test_alarms_cost_by_the_metrics_they_watch(templates: Templates) -> None:
    resources = templates["kdd99-prod-monitoring"]["Resources"].values()
    alarms = [each["Properties"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]
    metrics = sum(max(1, sum("MetricStat" in query for query in each.get("Metrics", []))) for each in alarms)
    line = f"{len(alarms)} alarms on {metrics} metrics"
    assert billed(of(templates, "monitoring"))[line].minimum == pytest.approx(0.1 * metrics)


def test_requests_are_billed_by_gateway_and_function(templates: Templates) -> None:
    lines = billed(of(templates, "serving"))
    assert lines["API requests"].expected == pytest.approx(2 * 3.5)
    (function,) = [usd for name, usd in lines.items() if name.startswith("function ")]
    assert function.expected > 2 * 0.2  # the calls alone


def test_an_unknown_type_is_refused_by_name() -> None:
    table = {"Resources": {"Table": {"Type": "AWS::DynamoDB::Table"}}}
    with pytest.raises(ValueError, match=r"AWS::DynamoDB::Table \(stack/Table\)"):
        bill([Template("stack", table)], TARIFF)
