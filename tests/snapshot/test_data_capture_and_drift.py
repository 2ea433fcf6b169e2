"""Data capture, the drift check and the budget: off unless the settings want them, and what they make then."""

import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from cdk_nag import AwsSolutionsChecks

from config.settings import Settings
from stacks.stage import add_stacks
from tests.feature_flags import FLAGS
from tests.snapshot.aws_metrics import METRICS
from tests.snapshot.test_monitoring import alarms, assert_tells_what_to_do, of_alarms, of_dashboard
from tests.snapshot.test_security_findings import findings

GROUPS: dict[str, Any] = {
    "project": {"name": "kdd99"},
    "dataset": {"train": "s3://records/train.gz", "test": "s3://records/test.gz"},
    "endpoint": {"data_capture": {"sampling_percentage": 20, "keep_days": 3}},
    "monitoring": {
        "drift": {"schedule": "rate(6 hours)", "threshold": 0.3},
        "budget": {"monthly_usd": 500, "alert_percentages": [50, 90]},
    },
}
Stacks = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drift")
    app = cdk.App(outdir=str(folder), context=FLAGS)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    add_stacks(app, env="test", settings=Settings.model_validate(GROUPS), root=folder)
    app.synth()
    return folder


@pytest.fixture(scope="module")
def stacks(folder: Path) -> Stacks:
    return {
        path.name.split(".")[0].rpartition("-")[2]: json.loads(path.read_text())["Resources"]
        for path in folder.glob("*.template.json")
    }


def only(resources: dict[str, Any], kind: str, name: str = "") -> dict[str, Any]:
    (found,) = [each["Properties"] for key, each in resources.items() if each["Type"] == kind and name in key]
    properties: dict[str, Any] = found
    return properties


def test_nothing_of_it_is_there_unless_it_is_wanted(templates: dict[str, Any]) -> None:
    for env in ("dev", "prod", "sandbox"):
        for stack in ("storage", "training", "serving", "monitoring"):
            text = json.dumps(templates[f"kdd99-{env}-{stack}"])
            assert not re.search("DataCaptureConfig|captured|Drift|AWS::Budgets", text), (env, stack)


def test_synthesis_has_no_finding(folder: Path) -> None:
    assert findings(folder) == []


def test_endpoint_config_captures_a_share_of_requests_and_answers(stacks: Stacks) -> None:
    capture = only(stacks["serving"], "AWS::SageMaker::EndpointConfig")["DataCaptureConfig"]
    assert (capture["EnableCapture"], capture["InitialSamplingPercentage"]) == (True, 20)
    assert capture["CaptureOptions"] == [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}]
    assert capture["CaptureContentTypeHeader"]["CsvContentTypes"] == ["text/csv"]
    assert capture["DestinationS3Uri"]["Fn::Join"][1][-1] == "/captured"


def test_the_models_role_may_write_below_the_prefix_and_nowhere_else(stacks: Stacks) -> None:
    policy = only(stacks["serving"], "AWS::IAM::Policy", "HostedRole")["PolicyDocument"]["Statement"]
    (writes,) = [each["Resource"] for each in policy if each["Action"] == "s3:PutObject"]
    assert writes["Fn::Join"][1][-1] == "/captured/*"


def test_captured_data_expire(stacks: Stacks) -> None:
    rules = only(stacks["storage"], "AWS::S3::Bucket", "DataBucket")["LifecycleConfiguration"]["Rules"]
    (rule,) = [each for each in rules if each["Prefix"] == "captured/"]
    assert rule["ExpirationInDays"] == 3


def test_a_rule_starts_the_check_on_its_schedule(stacks: Stacks) -> None:
    training = stacks["training"]
    (name,) = [
        key for key, each in training.items() if each["Type"] == "AWS::StepFunctions::StateMachine" and "Drift" in key
    ]
    rule = only(training, "AWS::Events::Rule", "DriftClock")
    assert (rule["ScheduleExpression"], rule["Targets"][0]["Arn"]) == ("rate(6 hours)", {"Ref": name})


def test_alarms_and_graphs_watch_what_the_check_publishes(stacks: Stacks) -> None:
    monitoring = stacks["monitoring"]
    for metric in (*of_alarms(monitoring), *of_dashboard(monitoring)):
        published = METRICS[metric.namespace][metric.name]
        assert metric.dimensions in published.dimensions, metric
        assert metric.statistic in published.statistics, metric
    (alarm,) = [each for each in alarms(monitoring).values() if each.get("MetricName") == "LargestPsi"]
    assert (alarm["Threshold"], alarm["TreatMissingData"], alarm["EvaluationPeriods"]) == (0.3, "ignore", 1)
    assert len(alarms(monitoring)) == 7
    for each in alarms(monitoring).values():
        assert_tells_what_to_do(each)
    assert alarm["Dimensions"] == [{"Name": "Environment", "Value": "kdd99-test"}]


def test_an_alarm_watches_the_check_by_the_name_it_has(stacks: Stacks) -> None:
    name = only(stacks["training"], "AWS::StepFunctions::StateMachine", "Drift")["StateMachineName"]
    watched = only(stacks["monitoring"], "AWS::CloudWatch::Alarm", "DriftCheckFailed")["Dimensions"]
    assert [each["Value"]["Fn::Join"][1][-1] for each in watched] == [f":stateMachine:{name}"]


def test_budget_counts_what_carries_the_tags_and_tells_the_topic(stacks: Stacks) -> None:
    budget = only(stacks["monitoring"], "AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 500, "Unit": "USD"}
    tags = [each["Tags"] for each in budget["Budget"]["FilterExpression"]["And"]]
    assert {tag["Key"]: tag["Values"] for tag in tags} == {"project": ["kdd99"], "env": ["test"]}
    notified = budget["NotificationsWithSubscribers"]
    told = [(each["Notification"]["NotificationType"], each["Notification"]["Threshold"]) for each in notified]
    assert told == [("ACTUAL", 50), ("ACTUAL", 90), ("FORECASTED", 100)]
    (topic,) = [key for key, each in stacks["monitoring"].items() if each["Type"] == "AWS::SNS::Topic"]
    assert all(each["Subscribers"] == [{"SubscriptionType": "SNS", "Address": {"Ref": topic}}] for each in notified)
    statements = only(stacks["monitoring"], "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    allowed = [each for each in statements if each["Principal"] == {"Service": "budgets.amazonaws.com"}]
    assert len(allowed) == 1
    assert allowed[0]["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


@pytest.mark.parametrize(
    ("groups", "problem"),
    [
        ({"monitoring": {"drift": {}}}, r"drift needs \[endpoint.data_capture\]"),
        ({"monitoring": {"drift": {"schedule": "daily"}}}, "daily"),
        ({"endpoint": {"data_capture": {"sampling_percentage": 0}}}, "sampling_percentage"),
        ({"monitoring": {"budget": {"monthly_usd": 0}}}, "monthly_usd"),
    ],
)
def test_settings_that_cannot_work_are_refused(groups: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Settings.model_validate({"project": {"name": "kdd99"}, "dataset": GROUPS["dataset"], **groups})
