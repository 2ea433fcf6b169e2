"""`sagescale cost` on a template of a few lines."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from costs.service_prices import COLUMNS, parse_service_prices

KEYS = "kms_keys,us-east-1,1,key and month,2026-11-01,bill"
ENDPOINT = {
    "Target": {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {
            "MinCapacity": 1,
            "MaxCapacity": 4,
            "ResourceId": "endpoint/e/variant/main",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        },
    },
    "Config": {
        "Type": "AWS::SageMaker::EndpointConfig",
        "Properties": {"ProductionVariants": [{"VariantName": "main", "InstanceType": "ml.m4.xlarge"}]},
    },
}


def write(folder: Path, resources: dict[str, Any], **more: Any) -> None:
    """Write the template of a serving stack."""
    (folder / "kdd99-dev-serving.template.json").write_text(json.dumps({"Resources": resources, **more}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, ENDPOINT)
    return tmp_path


def test_json_holds_minimum_expected_and_maximum(folder: Path) -> None:
    done = CliRunner().invoke(app, ["cost", "--templates", str(folder), "--format", "json"])
    assert done.exit_code == 0, done.output
    usd = json.loads(done.stdout)["usd_a_month"]
    assert usd == pytest.approx({"minimum": 730 * 0.28, "expected": 730 * 0.28, "maximum": 4 * 730 * 0.28})


def test_own_prices_replace_the_shipped_ones(folder: Path) -> None:
    prices = folder / "prices.csv"
    prices.write_text("instance_type,region,usd_per_hour,as_of,source\nml.m4.xlarge,us-east-1,1,2026-11-01,bill\n")
    done = CliRunner().invoke(app, ["cost", "--templates", str(folder), "--prices", str(prices)])
    assert done.exit_code == 0, done.output
    assert "in all" in done.stdout
    assert "2,920.00" in done.stdout  # 4 x 730 h


def test_missing_templates_are_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["cost", "--env", "prod", "--templates", str(tmp_path)])
    assert done.exit_code == 2
    assert "no template of kdd99-prod" in done.output


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("kms_keys,us-east-1,free,key and month,2026-11-01,bill", "line 2: usd 'free'"),
        ("keys,us-east-1,1,key and month,2026-11-01,bill", "no such item 'keys'; allowed: alarm_metrics, api_requests"),
        ("kms_keys,us-east-1,1", "line 2: not 6 columns"),
        (f"{KEYS}\n{KEYS}", "line 3: kms_keys in us-east-1 twice"),
    ],
)
def test_service_table_is_refused_with_line_and_reason(row: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_service_prices(f"{','.join(COLUMNS)}\n{row}\n", "us-east-1")


def cost(folder: Path, *options: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["cost", "--templates", str(folder), "--format", "json", *options])
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture
def in_ireland(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return options that price instances in a region whose services have no price."""
    (folder / "dev.toml").write_text(
        '[project]\nname = "kdd99"\nregion = "eu-west-1"\n[dataset]\ntrain = "s3://r/a"\ntest = "s3://r/b"\n'
    )
    monkeypatch.setenv("SAGESCALE_CONFIG_DIR", str(folder))
    write(folder, {**ENDPOINT, "Key": {"Type": "AWS::KMS::Key"}})
    prices = folder / "prices.csv"
    prices.write_text("instance_type,region,usd_per_hour,as_of,source\nml.m4.xlarge,eu-west-1,1,2026-11-01,bill\n")
    return ["--prices", str(prices)]


def test_price_that_is_not_known_in_a_region_is_told_and_not_taken_from_another(
    folder: Path, in_ireland: list[str]
) -> None:
    told = cost(folder, *in_ireland)
    assert told["without_a_price"] == ["1 keys"]
    assert told["usd_a_month"]["minimum"] == pytest.approx(730)
    assert {item["what"]: item["usd"]["minimum"] for item in told["items"]}["1 keys"] is None
    done = CliRunner().invoke(app, ["cost", "--templates", str(folder), *in_ireland])
    assert "no price is known in eu-west-1, and 1 of 2 lines are not in the sum" in done.stdout
    assert "unknown" in next(line for line in done.stdout.splitlines() if "1 keys" in line)


def test_own_service_prices_of_a_region_fill_the_gap(folder: Path, in_ireland: list[str]) -> None:
    own = folder / "services.csv"
    own.write_text(f"{','.join(COLUMNS)}\n{KEYS}\n{KEYS.replace('us-east-1,1', 'eu-west-1,2')}\n")
    told = cost(folder, *in_ireland, "--service-prices", str(own))
    assert (told["without_a_price"], told["usd_a_month"]["minimum"]) == ([], pytest.approx(732))


def test_region_that_the_settings_leave_open_is_named(folder: Path) -> None:
    done = CliRunner().invoke(app, ["cost", "--templates", str(folder)])
    assert "The settings name no region: these are the prices of us-east-1." in done.stdout


def schedule(state: str, expression: str) -> dict[str, Any]:
    properties = {
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "Target": {"Input": json.dumps({"state": state})},
    }
    return {"Type": "AWS::Scheduler::Schedule", "Properties": properties}


@pytest.mark.parametrize(
    ("schedules", "least", "expected", "said"),
    [
        ({}, 0.0, 1.0, ", may sleep"),
        ({"S": schedule("asleep", "cron(0 20 * * ? *)")}, 0.0, 1.0, ", may sleep"),  # who wakes it is not known
        (
            {"S": schedule("asleep", "cron(0/30 20-23 * * ? *)"), "W": schedule("awake", "cron(0 8 * * ? *)")},
            *(0.5, 0.5, ", awake 50% of the time"),
        ),
        (
            {"S": schedule("asleep", "cron(0 20 ? * MON-FRI *)"), "W": schedule("awake", "cron(0 8 ? * MON-FRI *)")},
            *(60 / 168, 60 / 168, ", awake 36% of the time"),
        ),
    ],
)
def test_endpoint_that_sleeps_costs_less(
    schedules: dict[str, Any], least: float, expected: float, said: str, folder: Path
) -> None:
    write(folder, {**ENDPOINT, **schedules}, Parameters={"EndpointState": {"Type": "String"}})
    told = cost(folder)
    (item,) = [each for each in told["items"] if each["what"].startswith("variant")]
    assert item["what"] == f"variant main: 1 to 4 ml.m4.xlarge{said}"
    hour = 730 * 0.28
    assert item["usd"] == pytest.approx(
        {"minimum": least * hour, "expected": expected * hour, "maximum": 4 * hour}, rel=0.01
    )
