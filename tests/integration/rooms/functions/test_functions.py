"""Lambda functions as warm processes."""

from __future__ import annotations

import base64
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.functions import asynchronous

PID = "import os\ndef handler(event, context):\n    return os.getpid()\n"


def test_function_sees_its_event_context_and_environment(function: Any, invoke: Any, name: Any, runtime: Any) -> None:
    code = """
import os
def handler(event, context):
    return {"event": event, "arn": context.invoked_function_arn, "name": context.function_name,
            "left": context.get_remaining_time_in_millis(), "memory": context.memory_limit_in_mb,
            "environment": dict(os.environ)}
"""
    function(code, Environment={"Variables": {"STAGE": "test"}}, MemorySize=256)
    answer, error = invoke({"a": [1, 2]})
    environment = answer["environment"]
    assert error is None
    assert answer["event"] == {"a": [1, 2]}
    assert answer["arn"].endswith(f":function:{name}")
    assert (answer["name"], answer["memory"]) == (name, "256")
    assert 2000 < answer["left"] <= 3000
    assert (environment["STAGE"], environment["AWS_ENDPOINT_URL"]) == ("test", runtime.endpoint_url)
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert environment["PYTHONPATH"] == environment["LAMBDA_TASK_ROOT"]
    assert "VIRTUAL_ENV" not in environment


def test_warm_calls_use_one_process_and_take_few_milliseconds(function: Any, invoke: Any) -> None:
    function(PID)
    pid, _ = invoke()
    assert [invoke()[0] for _ in range(5)] == [pid] * 5


def test_concurrent_calls_run_side_by_side(function: Any, invoke: Any, tmp_path: Path) -> None:
    code = f"""
import pathlib, time, uuid
def handler(event, context):
    here = pathlib.Path({str(tmp_path)!r})
    (here / uuid.uuid4().hex).touch()
    while len(list(here.iterdir())) < 3:  # alone it would wait for ever
        time.sleep(0.01)
    return "met"
"""
    function(code, Timeout=30)
    with ThreadPoolExecutor(3) as pool:
        assert [call.result() for call in [pool.submit(invoke) for _ in range(3)]] == [("met", None)] * 3


def test_new_code_and_new_configuration_start_a_new_process(
    function: Any, invoke: Any, client: Any, name: Any, zipped: Any
) -> None:
    function("import os\ndef handler(event, context):\n    return [os.getpid(), os.environ.get('V')]\n")
    first, _ = invoke()
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"V": "2"}})
    second, _ = invoke()
    client.update_function_code(FunctionName=name, ZipFile=zipped("def handler(event, context):\n    return 'new'\n"))
    assert (first[1], second[1]) == (None, "2")
    assert first[0] != second[0]
    assert invoke()[0] == "new"


def test_published_version_keeps_its_code(function: Any, client: Any, name: Any, invoke: Any, zipped: Any) -> None:
    function("def handler(event, context):\n    return 'old'\n")
    version = client.publish_version(FunctionName=name)["Version"]
    client.update_function_code(FunctionName=name, ZipFile=zipped("def handler(event, context):\n    return 'new'\n"))
    assert invoke()[0] == "new"
    assert invoke(Qualifier=version)[0] == "old"


def test_code_comes_from_the_s3_asset(function: Any, invoke: Any, runtime: Any, name: Any, zipped: Any) -> None:
    s3 = runtime.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="asset.zip", Body=zipped("def handler(event, context):\n    return 'asset'\n"))
    function("", Code={"S3Bucket": name, "S3Key": "asset.zip"})
    assert invoke()[0] == "asset"


def test_exception_has_lambdas_wire_form(function: Any, invoke: Any) -> None:
    function("def handler(event, context):\n    raise ValueError('row 3 is broken')\n")
    answer, error = invoke()
    assert error == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("ValueError", "row 3 is broken")
    assert "handler.py" in answer["stackTrace"][0]
    assert answer["requestId"]


@pytest.mark.parametrize(
    ("code", "overrides", "kind", "message"),
    [
        (
            "import nothing_like_it",
            {},
            "Runtime.ImportModuleError",
            "Unable to import module 'handler': No module named",
        ),
        ("import pytest", {}, "Runtime.ImportModuleError", "No module named 'pytest'"),
        ("x = 1", {}, "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'handler'"),
        ("x = 1", {"Handler": "other.handler"}, "Runtime.ImportModuleError", "Unable to import module 'other'"),
        ("def handler(e, c): return {1, 2}", {}, "Runtime.MarshalError", "Unable to marshal response"),
        ("import os\ndef handler(e, c): os._exit(7)", {}, "Runtime.ExitError", "exit status 7"),
        ("import time\ndef handler(e, c): time.sleep(9)", {"Timeout": 1}, "Sandbox.Timedout", "timed out after 1.00 s"),
    ],
)
def test_failures_of_the_runtime_are_told_as_lambda_does(
    function: Any, invoke: Any, code: Any, overrides: Any, kind: Any, message: Any
) -> None:
    function(code, **overrides)
    for _ in range(2):  # the second call finds a fresh process, not a broken one
        answer, error = invoke()
        assert (error, answer["errorType"]) == ("Unhandled", kind)
        assert message in answer["errorMessage"]


def test_boto3_in_a_function_reaches_the_sandbox(function: Any, invoke: Any, runtime: Any, name: Any) -> None:
    runtime.client("ssm").put_parameter(Name=f"/{name}", Value="42", Type="String")
    function(
        "import boto3\nssm = boto3.client('ssm')\n"
        f"def handler(event, context):\n    return ssm.get_parameter(Name='/{name}')['Parameter']['Value']\n",
        Timeout=10,
    )
    assert invoke() == ("42", None)


def test_log_lines_reach_the_tail_and_the_configured_log_group(
    function: Any, client: Any, name: Any, runtime: Any, eventually: Any
) -> None:
    code = "import logging\ndef handler(event, context):\n    print('hello')\n    logging.warning('careful')\n"
    function(code, LoggingConfig={"LogGroup": f"/own/{name}"})
    tail = base64.b64decode(client.invoke(FunctionName=name, LogType="Tail")["LogResult"]).decode()
    assert "hello\n" in tail
    assert "[WARNING]\t" in tail
    assert tail.splitlines()[-1].startswith("REPORT RequestId:")
    logs = runtime.client("logs")
    eventually(lambda: logs.describe_log_groups(logGroupNamePrefix=f"/own/{name}")["logGroups"])
    group = f"/own/{name}"
    eventually(lambda: "hello" in [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]])
    assert client.get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"] == f"/own/{name}"


def test_function_that_is_deleted_at_work_gets_its_last_lines_out_and_leaves_no_process(
    function: Any, client: Any, invoke: Any, name: Any, runtime: Any, eventually: Any, tmp_path: Path
) -> None:
    code = f"""
import os, pathlib, time
def handler(event, context):
    pathlib.Path({str(tmp_path / "begun")!r}).write_text(f"{{os.getpid()}} ")
    time.sleep(0.3)
    print("last words")
"""
    function(code, LoggingConfig={"LogGroup": f"/own/{name}"})
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(invoke)
        eventually(lambda: (tmp_path / "begun").exists() and (tmp_path / "begun").read_text().endswith(" "))
        client.delete_function(FunctionName=name)
        events = runtime.client("logs").filter_log_events(logGroupName=f"/own/{name}")["events"]
        assert "last words" in [event["message"] for event in events]
        assert working.result() == (None, None)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "begun").read_text()), 0)


def test_event_invocation_answers_at_once_and_tells_its_destination(
    function: Any,
    client: Any,
    name: Any,
    runtime: Any,
    eventually: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asynchronous, "RETRY_DELAYS_SECONDS", (0.1, 0.1))
    sqs = runtime.client("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    answered = tmp_path / "answered"
    code = f"""
import pathlib, time
def handler(event, context):
    while not pathlib.Path({str(answered)!r}).exists():
        time.sleep(0.01)
    raise KeyError(event["n"])
"""
    function(code, Timeout=300)  # longer than the client waits for an answer
    client.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"n": 5}))
    assert answer["StatusCode"] == 202
    answered.touch()
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestPayload"] == {"n": 5}
    assert record["responsePayload"]["errorType"] == "KeyError"


def test_sns_invokes_its_subscriber(function: Any, runtime: Any, name: Any, eventually: Any) -> None:
    s3, sns = runtime.client("s3"), runtime.client("sns")
    s3.create_bucket(Bucket=name)
    arn = function(
        "import boto3\ndef handler(event, context):\n"
        f"    boto3.client('s3').put_object(Bucket='{name}', Key=event['Records'][0]['Sns']['Message'])\n",
        Timeout=10,
    )["FunctionArn"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="arrived")
    found = eventually(lambda: s3.list_objects_v2(Bucket=name).get("Contents"))
    assert found[0]["Key"] == "arrived"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"Runtime": "nodejs22.x"}, r"Runtime nodejs22.x \(it takes python3.x\)"),
        ({"PackageType": "Image", "Code": {"ImageUri": "1.dkr/x:1"}}, "PackageType Image"),
        ({"Layers": ["arn:aws:lambda:us-east-1:1:layer:x:1"]}, "Layers arn:aws:lambda:us-east-1:1:layer:x:1"),
    ],
)
def test_what_cannot_run_is_refused_by_name(function: Any, overrides: Any, message: Any) -> None:
    with pytest.raises(ClientError, match=message):
        function("x = 1", **overrides)
