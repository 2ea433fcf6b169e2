"""The real CDK CLI against the sandbox's CloudFormation: a small app in several versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk_lib
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from sandbox.runtime import Runtime
from tests.feature_flags import UNVALIDATED

# Notes each request in a file, fails an update when told to.
HANDLER = """
import json, urllib.request
def handler(event, context):
    properties = event["ResourceProperties"]
    old = event.get("OldResourceProperties", {}).get("Version")
    with open(properties["Journal"], "a") as journal:
        journal.write(json.dumps([event["RequestType"], properties["Version"], old]) + chr(10))
    failed = event["RequestType"] == "Update" and properties["Version"] == "bad"
    answer = {
        "Status": "FAILED" if failed else "SUCCESS",
        "Reason": "version bad was refused" if failed else "",
        "PhysicalResourceId": event.get("PhysicalResourceId", "thing"),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Greeting": "hello " + properties["Version"]},
    }
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data=body, method="PUT"))
"""


class Producer(cdk_lib.Stack):
    """A bucket, a queue whose name is a property that replaces, a custom resource."""

    def __init__(self, scope: Construct, *, version: str, queue: str, journal: Path) -> None:
        super().__init__(scope, "producer")
        self.bucket = s3.Bucket(self, "Bucket", enforce_ssl=True, removal_policy=cdk_lib.RemovalPolicy.DESTROY)
        self.queue = sqs.Queue(self, "Queue", queue_name=queue)
        log_group = logs.LogGroup(self, "Log", removal_policy=cdk_lib.RemovalPolicy.DESTROY)
        function = lambda_.Function(
            self,
            "Function",
            code=lambda_.Code.from_inline(HANDLER),
            handler="index.handler",
            runtime=lambda_.Runtime.PYTHON_3_12,
            log_group=log_group,
        )
        properties = {"Version": version, "Journal": str(journal)}
        thing = cdk_lib.CustomResource(
            self,
            "Thing",
            service_token=function.function_arn,
            resource_type="Custom::Thing",
            properties=properties,
            service_timeout=cdk_lib.Duration.seconds(30),
        )
        thing.node.add_dependency(self.queue)
        greeting = ssm.StringParameter(self, "Greeting", string_value=thing.get_att_string("Greeting"))
        cdk_lib.CfnOutput(self, "GreetingParameter", value=greeting.parameter_name)
        cdk_lib.CfnOutput(self, "QueueUrl", value=self.queue.queue_url)


class Consumer(cdk_lib.Stack):
    """Imports what the other stack exports."""

    def __init__(self, scope: Construct, producer: Producer) -> None:
        super().__init__(scope, "consumer")
        ssm.StringParameter(self, "BucketArn", string_value=producer.bucket.bucket_arn)


@pytest.fixture(scope="module")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    folder = tmp_path_factory.mktemp("assemblies")

    def make(version: str = "one", queue: str = "first", journal: Path = folder / "journal") -> Path:
        app = cdk_lib.App(outdir=str(folder / f"{version}-{queue}"), context=UNVALIDATED)
        Consumer(app, Producer(app, version=version, queue=queue, journal=journal))
        return Path(app.synth().directory)

    return make


def journal_of(folder: Path) -> list[list[str | None]]:
    return [json.loads(line) for line in (folder / "journal").read_text().splitlines()]


def everything_in(runtime: Runtime) -> dict[str, list[str]]:
    """Return the names of what exists beside the bootstrap stack."""
    listed: dict[str, tuple[str, str, str, str]] = {
        "buckets": ("s3", "list_buckets", "Buckets", "Name"),
        "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
        "log groups": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "parameters": ("ssm", "describe_parameters", "Parameters", "Name"),
        "roles": ("iam", "list_roles", "Roles", "RoleName"),
    }
    found = {
        what: [item[name] for item in getattr(runtime.client(service), operation)()[member]]
        for what, (service, operation, member, name) in listed.items()
    }
    found["queues"] = runtime.client("sqs").list_queues().get("QueueUrls", [])
    return {what: [name for name in names if "cdk-" not in name] for what, names in found.items()}


def outputs(runtime: Runtime, stack: str = "producer") -> dict[str, Any]:
    (described,) = runtime.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def greeting(runtime: Runtime) -> str:
    name = outputs(runtime)["GreetingParameter"]
    return str(runtime.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])


def test_cli_deploys_diffs_updates_rolls_back_and_destroys(
    cdk: Any, live: Runtime, synthesize: Callable[..., Path]
) -> None:
    first = synthesize()
    journal = first.parent
    deploy = ("--all", "--require-approval", "never")

    done = cdk("deploy", first, *deploy)
    assert done.returncode == 0, done.stdout
    assert greeting(live) == "hello one"
    assert journal_of(journal) == [["Create", "one", None]]

    done = cdk("deploy", first, *deploy)
    assert done.stdout.count("(no changes)") == 2, done.stdout
    assert len(journal_of(journal)) == 1

    second = synthesize("two", "second")
    done = cdk("diff", second, "--fail")
    assert done.returncode == 1
    assert "requires replacement" in done.stdout, done.stdout
    assert "[+] two" in done.stdout
    assert greeting(live) == "hello one"

    done = cdk("deploy", second, *deploy)
    assert done.returncode == 0, done.stdout
    assert greeting(live) == "hello two"
    assert everything_in(live)["queues"] == [outputs(live)["QueueUrl"]]
    assert outputs(live)["QueueUrl"].endswith("/second")

    before = everything_in(live)
    done = cdk("deploy", synthesize("bad", "third"), *deploy)
    assert done.returncode == 1
    assert "version bad was refused" in done.stdout
    (stack,) = live.client("cloudformation").describe_stacks(StackName="producer")["Stacks"]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert journal_of(journal)[1:] == [["Update", "two", "one"], ["Update", "bad", "two"], ["Update", "two", "bad"]]
    assert greeting(live) == "hello two"
    assert everything_in(live) == before

    done = cdk("destroy", second, "--all", "--force")
    assert done.returncode == 0, done.stdout
    assert journal_of(journal)[-1] == ["Delete", "two", None]
    assert everything_in(live) == {what: [] for what in before}


def test_cli_names_a_refused_type_before_anything_is_created(cdk: Any, live: Runtime, tmp_path: Path) -> None:
    app = cdk_lib.App(outdir=str(tmp_path), context=UNVALIDATED)
    stack = cdk_lib.Stack(app, "refused")
    key = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    dynamodb.Table(stack, "Table", partition_key=key)
    ssm.StringParameter(stack, "Parameter", string_value="x")
    app.synth()
    done = cdk("deploy", tmp_path, "--require-approval", "never")
    assert done.returncode == 1
    assert "Unrecognized resource types: [AWS::DynamoDB::Table]" in done.stdout, done.stdout
    assert everything_in(live)["parameters"] == []
