"""How the settings of an update reach the endpoint, and the alarms it is watched by."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from config.settings import Settings
from stacks.stage import add_stacks
from tests.feature_flags import UNVALIDATED

ROOT = Path(__file__).parents[2]
WATCHED = {
    "strategy": "canary",
    "rollback": {"error_share": 0.02, "model_error_share": 0.03, "p99_latency_ms": 250},
}
Synthesize = Callable[[dict[str, Any]], dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Return the serving stack's resources with the given `[endpoint.deployment]`."""
    made: dict[str, dict[str, dict[str, Any]]] = {}
    tmp_path = tmp_path_factory.mktemp("deployments")

    def run(deployment: dict[str, Any]) -> dict[str, dict[str, Any]]:
        if (key := json.dumps(deployment)) not in made:
            made[key] = synthesize(deployment)
        return made[key]

    def synthesize(deployment: dict[str, Any]) -> dict[str, dict[str, Any]]:
        variant = {"scaling": {"min_capacity": 4, "max_capacity": 10}}
        groups = {
            "project": {"name": "kdd99"},
            "dataset": {"train": "s3://records/train.gz", "test": "s3://records/test.gz"},
            "endpoint": {"variants": [variant], "deployment": deployment},
        }
        app = cdk.App(outdir=str(tmp_path / f"cdk.out.{len(made)}"), context=UNVALIDATED)
        add_stacks(app, env="test", settings=Settings.model_validate(groups), root=tmp_path)
        resources: dict[str, dict[str, Any]] = app.synth().get_stack_by_name("kdd99-test-serving").template["Resources"]
        return resources

    return run


def of(resources: dict[str, dict[str, Any]], kind: str) -> dict[str, Any]:
    return {name: r["Properties"] for name, r in resources.items() if r["Type"] == f"AWS::{kind}"}


def endpoint(resources: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (found,) = of(resources, "SageMaker::Endpoint").values()
    return dict(found)


def blue_green(resources: dict[str, dict[str, Any]]) -> dict[str, Any]:
    policy = endpoint(resources)["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert "RollingUpdatePolicy" not in endpoint(resources)["DeploymentConfig"]
    return dict(policy)


def test_default_leaves_the_update_to_sagemaker(serving: Synthesize) -> None:
    resources = serving({"strategy": "all_at_once"})
    assert "DeploymentConfig" not in endpoint(resources)
    assert of(resources, "CloudWatch::Alarm") == {}


def test_canary_names_its_size_its_waits_and_the_alarms(serving: Synthesize) -> None:
    resources = serving(
        {
            "strategy": "canary",
            "canary_size": {"instance_count": 1},
            "wait_interval_seconds": 300,
            "termination_wait_seconds": 60,
            "maximum_execution_timeout_seconds": 1800,
        }
    )
    assert blue_green(resources) == {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
            "WaitIntervalInSeconds": 300,
        },
        "TerminationWaitInSeconds": 60,
        "MaximumExecutionTimeoutInSeconds": 1800,
    }
    watched = endpoint(resources)["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    assert [alarm["AlarmName"]["Ref"] for alarm in watched] == list(of(resources, "CloudWatch::Alarm"))


def test_linear_names_its_step(serving: Synthesize) -> None:
    routing = blue_green(serving({"strategy": "linear", "linear_step_size": {"capacity_percent": 30}}))
    assert routing["TrafficRoutingConfiguration"]["Type"] == "LINEAR"
    assert routing["TrafficRoutingConfiguration"]["LinearStepSize"] == {"Type": "CAPACITY_PERCENT", "Value": 30}


def test_all_at_once_that_waits_is_watched(serving: Synthesize) -> None:
    resources = serving({"strategy": "all_at_once", "wait_interval_seconds": 240})
    assert blue_green(resources)["TrafficRoutingConfiguration"] == {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 240}
    assert len(of(resources, "CloudWatch::Alarm")) == 3


def test_rolling_update_has_no_second_fleet(serving: Synthesize) -> None:
    config = endpoint(
        serving(
            {
                "strategy": "rolling",
                "maximum_batch_size": {"instance_count": 2},
                "rollback_maximum_batch_size": {"capacity_percent": 100},
            }
        )
    )["DeploymentConfig"]
    assert config["RollingUpdatePolicy"] == {
        "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 2},
        "RollbackMaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 100},
        "WaitIntervalInSeconds": 300,
        "MaximumExecutionTimeoutInSeconds": 3600,
    }
    assert "BlueGreenUpdatePolicy" not in config


def test_alarms_watch_the_new_fleet_in_the_metrics_units(serving: Synthesize) -> None:
    resources = serving(WATCHED)
    alarms = of(resources, "CloudWatch::Alarm")
    (config,) = of(resources, "SageMaker::EndpointConfig")
    found = {}
    for alarm in alarms.values():
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
        assert dimensions["EndpointConfigName"] == {"Fn::GetAtt": [config, "EndpointConfigName"]}
        assert dimensions["EndpointName"] == endpoint(resources)["EndpointName"]
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"], alarm["Period"]) == (2, 3, 60)
        assert alarm["TreatMissingData"] == "notBreaching"
        statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        found[alarm["MetricName"]] = (statistic, alarm["Threshold"])
    assert found == {
        "Invocation5XXErrors": ("Average", 0.02),
        "InvocationModelErrors": ("Average", 0.03),
        "ModelLatency": ("p99", 250_000),
    }


def test_role_of_the_model_may_look_at_these_alarms_and_no_others(serving: Synthesize) -> None:
    resources = serving(WATCHED)
    statements = [
        statement
        for policy in of(resources, "IAM::Policy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "cloudwatch:DescribeAlarms"
    ]
    (statement,) = statements
    named = {arn["Fn::Join"][1][-1].rpartition(":")[2] for arn in statement["Resource"]}
    assert named == {alarm["AlarmName"] for alarm in of(resources, "CloudWatch::Alarm").values()}


def test_rollback_alarms_link_to_a_runbook_that_is_there(serving: Synthesize) -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    headings = {re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-") for line in text.splitlines()}
    for alarm in of(serving(WATCHED), "CloudWatch::Alarm").values():
        assert alarm["AlarmDescription"].partition("docs/operations.md#")[2] in headings
