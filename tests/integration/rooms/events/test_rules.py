"""Rules and schedules reach their targets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto.events.models import events_backends

import sandbox.events
from sandbox.events.input import target_input
from sandbox.runtime import ACCOUNT_ID

ROLE = "arn:aws:iam::123456789012:role/events"


@pytest.fixture
def client(runtime: Any) -> Any:
    return runtime.client("events")


@pytest.fixture
def queue(runtime: Any, name: Any, eventually: Any) -> Any:
    """A queue, and a call that waits for its next message."""
    sqs = runtime.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def receive() -> Any:
        message = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))[0]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])

    vars(receive).update(arn=arn, empty=lambda: "Messages" not in sqs.receive_message(QueueUrl=url))
    return receive


@pytest.fixture
def rule(client: Any, name: Any) -> Any:
    """Make a rule with one target; removed afterwards."""

    def make(target: Any, **options: Any) -> None:
        client.put_rule(Name=name, **options)
        client.put_targets(Rule=name, Targets=[{"Id": "1", **target}])

    yield make
    client.remove_targets(Rule=name, Ids=["1"])
    client.delete_rule(Name=name)


def pattern(**fields: Any) -> Any:
    return json.dumps({name.replace("_", "-"): value for name, value in fields.items()})


def put(client: Any, name: Any, **detail: Any) -> None:
    client.put_events(Entries=[{"Source": name, "DetailType": "Test", "Detail": json.dumps(detail)}])


def test_event_reaches_a_lambda_function(
    client: Any, rule: Any, function: Any, name: Any, runtime: Any, bucket: Any, eventually: Any
) -> None:
    arn = function(
        "import boto3\ndef handler(event, context):\n"
        f"    boto3.client('s3').put_object(Bucket='{bucket}', Key=event['detail']['key'])\n",
        Timeout=10,
    )["FunctionArn"]
    rule({"Arn": arn}, EventPattern=pattern(source=[name]))
    put(client, name, key="came")
    found = eventually(lambda: runtime.client("s3").list_objects_v2(Bucket=bucket).get("Contents"))
    assert found[0]["Key"] == "came"


def test_uploaded_object_starts_a_state_machine(
    rule: Any, runtime: Any, bucket: Any, name: Any, eventually: Any
) -> None:
    machines = runtime.client("stepfunctions")
    definition = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    arn = machines.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]
    s3 = runtime.client("s3")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    detail = {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": "incoming/"}]}}
    wanted = pattern(source=["aws.s3"], detail_type=["Object Created"], detail=detail)
    rule({"Arn": arn, "RoleArn": ROLE}, EventPattern=wanted)
    s3.put_object(Bucket=bucket, Key="elsewhere/a.csv", Body=b"1")
    s3.put_object(Bucket=bucket, Key="incoming/b.csv", Body=b"1")
    (execution,) = eventually(lambda: machines.list_executions(stateMachineArn=arn)["executions"])
    event = json.loads(machines.describe_execution(executionArn=execution["executionArn"])["input"])
    assert event["detail"]["object"]["key"] == "incoming/b.csv"
    assert event["time"].endswith("Z")


def test_end_of_an_execution_is_an_event(rule: Any, queue: Any, runtime: Any, name: Any) -> None:
    machines = runtime.client("stepfunctions")
    states = {"F": {"Type": "Fail", "Error": "Gate", "Cause": "worse than before"}}
    definition = json.dumps({"StartAt": "F", "States": states})
    arn = machines.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]
    detail = {"stateMachineArn": [arn], "status": ["FAILED", "TIMED_OUT", "ABORTED"]}
    rule({"Arn": queue.arn}, EventPattern=json.dumps({"source": ["aws.states"], "detail": detail}))
    machines.start_execution(stateMachineArn=arn, name="run")
    event = queue()
    assert event["detail-type"] == "Step Functions Execution Status Change"
    assert (event["detail"]["error"], event["detail"]["cause"]) == ("Gate", "worse than before")


def test_disabled_rule_and_other_events_deliver_nothing(client: Any, rule: Any, queue: Any, name: Any) -> None:
    rule({"Arn": queue.arn}, EventPattern=pattern(source=[name]))
    put(client, "somebody.else", a=1)
    client.disable_rule(Name=name)
    put(client, name, a=1)
    client.enable_rule(Name=name)
    put(client, name, a=2)
    assert queue()["detail"] == {"a": 2}
    assert queue.empty()


def test_target_that_fails_hands_over_to_its_dead_letter_queue(client: Any, rule: Any, queue: Any, name: Any) -> None:
    gone = "arn:aws:lambda:us-east-1:123456789012:function:gone"
    rule({"Arn": gone, "DeadLetterConfig": {"Arn": queue.arn}}, EventPattern=pattern(source=[name]))
    put(client, name, a=1)
    assert queue()["detail"] == {"a": 1}


def test_rate_fires_a_rule_every_minute_from_its_creation(rule: Any, queue: Any, runtime: Any, name: Any) -> None:
    rule({"Arn": queue.arn, "Input": '{"mode": "retrain"}'}, ScheduleExpression="rate(1 minute)")
    clock = sandbox.events._running[0][1]
    start = datetime.now(UTC)
    clock.tick(start, start + timedelta(seconds=50))
    clock.tick(start + timedelta(seconds=50), start + timedelta(seconds=61))
    assert queue() == {"mode": "retrain"}
    assert queue.empty()
    assert events_backends[ACCOUNT_ID]["us-east-1"].event_buses["default"].rules[name].scheduled_expression


def test_schedule_at_a_time_fires_once_at_that_time(queue: Any, runtime: Any, name: Any) -> None:
    due = (datetime.now(UTC) + timedelta(minutes=2)).replace(microsecond=0)
    runtime.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": queue.arn, "RoleArn": ROLE, "Input": '{"sleep": true}'},
    )
    clock = sandbox.events._running[0][1]
    clock.tick(due - timedelta(seconds=5), due - timedelta(seconds=1))
    assert queue.empty()
    clock.tick(due - timedelta(seconds=1), due)
    clock.tick(due, due + timedelta(seconds=5))
    assert queue() == {"sleep": True}
    assert queue.empty()
    runtime.client("scheduler").delete_schedule(Name=name)


def test_schedule_can_call_any_api_action(runtime: Any, name: Any, eventually: Any) -> None:
    due = (datetime.now(UTC) + timedelta(minutes=2)).replace(microsecond=0)
    runtime.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:ssm:putParameter",
            "RoleArn": ROLE,
            "Input": json.dumps({"Name": f"/{name}", "Value": "awake", "Type": "String"}),
        },
    )
    clock = sandbox.events._running[0][1]
    clock.tick(due - timedelta(seconds=1), due)
    ssm = runtime.client("ssm")
    (parameter,) = eventually(lambda: ssm.get_parameters(Names=[f"/{name}"])["Parameters"])
    assert parameter["Value"] == "awake"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"Input": '{"a": 1}'}, '{"a": 1}'),
        ({"InputPath": "$.detail"}, '{"name": "x", "n": 3}'),
        (
            {"InputTransformer": {"InputPathsMap": {"who": "$.detail.name"}, "InputTemplate": '"It was <who>."'}},
            '"It was x."',
        ),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"who": "$.detail.name", "n": "$.detail.n"},
                    "InputTemplate": '{"who": <who>, "n": <n>, "text": "<who>-<n>"}',
                }
            },
            '{"who": "x", "n": 3, "text": "x-3"}',
        ),
    ],
)
def test_targets_get_what_they_ask_for(target: Any, message: Any) -> None:
    assert target_input(target, {"source": "s", "detail": {"name": "x", "n": 3}}) == message
