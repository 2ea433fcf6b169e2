"""`sagescale cost` on a template of a few lines."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from costs.service_prices import COLUMNS, parse_service_prices

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kdd99-dev-serving.template.json").write_text(json.dumps({"Resources": ENDPOINT}))
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


def test_service_table_must_be_whole() -> None:
    with pytest.raises(ValueError, match="no price for alarm_metrics, "):
        parse_service_prices(f"{','.join(COLUMNS)}\nkms_keys,1,key and month,2026-11-01,bill\n")
    with pytest.raises(ValueError, match="line 2: usd 'free'"):
        parse_service_prices(f"{','.join(COLUMNS)}\nkms_keys,free,key and month,2026-11-01,bill\n")
