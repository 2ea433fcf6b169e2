"""What of the serving stack exists only while its endpoint is awake, and what answers while it is not."""

import json
from typing import Any

import aws_cdk as cdk
import pytest

from config.settings import Settings
from stacks.stage import add_stacks
from tests.feature_flags import UNVALIDATED

AWAKE, ASLEEP = "EndpointIsAwake", "EndpointIsAsleep"
ONLY_AWAKE = {
    "AWS::SageMaker::Endpoint",
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudWatch::Alarm",
    "Custom::ServedConfig",
}
STEP = {
    "kind": "step",
    "name": "steps",
    "metric": "cpu_utilization",
    "threshold": 50.0,
    "steps": [{"lower_bound": 0.0, "adjustment": 1}],
}


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The stacks of an environment whose endpoint sleeps by the clock, by what they hold."""
    folder = tmp_path_factory.mktemp("state")
    sleep = {"sleep_at": "cron(0 20 ? * MON-FRI *)", "wake_at": "cron(0 7 ? * MON-FRI *)", "timezone": "Europe/Berlin"}
    groups = {
        "project": {"name": "kdd99"},
        "dataset": {"train": "s3://records/train.gz", "test": "s3://records/test.gz"},
        "endpoint": {"sleep": sleep},
        "scaling": {"min_capacity": 1, "max_capacity": 4, "policies": [STEP]},
        "api": {"cors_origin": "https://example.org"},
    }
    app = cdk.App(outdir=str(folder / "cdk.out"), context=UNVALIDATED)
    add_stacks(app, env="test", settings=Settings.model_validate(groups), root=folder)
    return {stack.stack_name.rpartition("-")[2]: stack.template for stack in app.synth().stacks}


def of(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}


def test_endpoint_and_scaling_exist_only_while_awake(templates: dict[str, dict[str, Any]]) -> None:
    serving = templates["serving"]
    assert serving["Parameters"]["EndpointState"]["AllowedValues"] == ["awake", "asleep"]
    assert serving["Parameters"]["EndpointState"]["Default"] == "awake"
    conditional = {r["Type"] for r in serving["Resources"].values() if r.get("Condition") == AWAKE}
    assert conditional == {*ONLY_AWAKE, "AWS::ApiGateway::Deployment"}
    for kind in ONLY_AWAKE:
        assert all(resource["Condition"] == AWAKE for resource in of(serving, kind).values())


def test_stage_serves_the_deployment_of_its_state(templates: dict[str, dict[str, Any]]) -> None:
    deployments = of(templates["serving"], "AWS::ApiGateway::Deployment")
    by_condition = {deployment["Condition"]: name for name, deployment in deployments.items()}
    assert by_condition.keys() == {AWAKE, ASLEEP}
    (stage,) = of(templates["serving"], "AWS::ApiGateway::Stage").values()
    choice = stage["Properties"]["DeploymentId"]["Fn::If"]
    assert choice == [AWAKE, {"Ref": by_condition[AWAKE]}, {"Ref": by_condition[ASLEEP]}]
    methods = set(of(templates["serving"], "AWS::ApiGateway::Method"))
    assert methods <= set(deployments[by_condition[ASLEEP]]["DependsOn"])


def test_asleep_every_post_method_answers_503_and_says_why(templates: dict[str, dict[str, Any]]) -> None:
    methods = [
        method["Properties"]
        for method in of(templates["serving"], "AWS::ApiGateway::Method").values()
        if method["Properties"]["HttpMethod"] == "POST"
    ]
    assert len(methods) == 2
    for method in methods:
        condition, awake, asleep = method["Integration"]["Fn::If"]
        assert (condition, asleep["Type"]) == (AWAKE, "MOCK")
        assert awake["Type"] in {"AWS", "AWS_PROXY"}
        assert awake["IntegrationHttpMethod"] == "POST"
        assert awake["Uri"]["Fn::Join"]
        (response,) = asleep["IntegrationResponses"]
        assert response["StatusCode"] == "503"
        assert "asleep" in json.loads(response["ResponseTemplates"]["application/json"])["message"]
        (declared,) = [known for known in method["MethodResponses"] if known["StatusCode"] == "503"]
        assert set(response["ResponseParameters"]) <= set(declared["ResponseParameters"])
    (invocations,) = [m for m in methods if m["Integration"]["Fn::If"][1]["Type"] == "AWS"]
    _, awake, asleep = invocations["Integration"]["Fn::If"]
    assert set(awake["RequestTemplates"]) == set(asleep["RequestTemplates"])
    assert len(awake["IntegrationResponses"]) == 8


def test_runs_outside_a_deploy_do_not_wake_it(templates: dict[str, dict[str, Any]]) -> None:
    (machine,) = of(templates["training"], "AWS::StepFunctions::StateMachine").values()
    parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
    states = json.loads("".join(part if isinstance(part, str) else "TOKEN" for part in parts))["States"]
    kept = states["UpdateServing"]["Parameters"]["Parameters"]
    assert {parameter["ParameterKey"] for parameter in kept} == set(templates["serving"]["Parameters"])
    assert all(parameter["UsePreviousValue"] for parameter in kept)


def test_schedules_say_when_in_the_settings_time_zone(templates: dict[str, dict[str, Any]]) -> None:
    schedules = [schedule["Properties"] for schedule in of(templates["serving"], "AWS::Scheduler::Schedule").values()]
    found = {json.loads(s["Target"]["Input"])["state"]: s["ScheduleExpression"] for s in schedules}
    assert found == {"asleep": "cron(0 20 ? * MON-FRI *)", "awake": "cron(0 7 ? * MON-FRI *)"}
    assert {schedule["ScheduleExpressionTimezone"] for schedule in schedules} == {"Europe/Berlin"}


def test_function_that_switches_may_update_this_stack_and_no_other(templates: dict[str, dict[str, Any]]) -> None:
    statements = [
        statement
        for policy in of(templates["serving"], "AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "cloudformation:UpdateStack" in statement["Action"]
    ]
    assert [statement["Resource"] for statement in statements] == [{"Ref": "AWS::StackId"}]
