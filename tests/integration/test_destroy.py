"""`sagescale destroy` after a full deploy of all stacks: nothing is left, and what is protected is refused."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.deployment import Deployment
from cli.destroy import DestructionError, remove, survey
from sandbox import launch
from sandbox.runtime import Runtime
from tests.integration.workstation import Workstation

LISTED = {  # what a deploy makes, and how each service lists it
    "endpoints": ("sagemaker", "list_endpoints", {}, "Endpoints"),
    "endpoint configs": ("sagemaker", "list_endpoint_configs", {}, "EndpointConfigs"),
    "models": ("sagemaker", "list_models", {}, "Models"),
    "notebooks": ("sagemaker", "list_notebook_instances", {}, "NotebookInstances"),
    "package groups": ("sagemaker", "list_model_package_groups", {}, "ModelPackageGroupSummaryList"),
    "packages": (
        "sagemaker",
        "list_model_packages",
        {"ModelPackageGroupName": "kdd99-sandbox"},
        "ModelPackageSummaryList",
    ),
    "functions": ("lambda", "list_functions", {}, "Functions"),
    "log groups": ("logs", "describe_log_groups", {}, "logGroups"),
    "APIs": ("apigateway", "get_rest_apis", {}, "items"),
    "usage plans": ("apigateway", "get_usage_plans", {}, "items"),
    "state machines": ("stepfunctions", "list_state_machines", {}, "stateMachines"),
    "rules": ("events", "list_rules", {}, "Rules"),
    "schedules": ("scheduler", "list_schedules", {}, "Schedules"),
    "topics": ("sns", "list_topics", {}, "Topics"),
    "alarms": ("cloudwatch", "describe_alarms", {}, "MetricAlarms"),
    "targets": (
        *("application-autoscaling", "describe_scalable_targets"),
        *({"ServiceNamespace": "sagemaker"}, "ScalableTargets"),
    ),
    "policies": (
        *("application-autoscaling", "describe_scaling_policies"),
        *({"ServiceNamespace": "sagemaker"}, "ScalingPolicies"),
    ),
    "parameters": ("ssm", "describe_parameters", {}, "Parameters"),
    "buckets": ("s3", "list_buckets", {}, "Buckets"),
    "roles": ("iam", "list_roles", {}, "Roles"),
}


def everything(runtime: Runtime) -> dict[str, list[str]]:
    """Return what the services list, the bootstrap's own and SageMaker's account-wide log groups left out."""
    found = {
        what: [str(item) for item in getattr(runtime.client(service), operation)(**arguments)[member]]
        for what, (service, operation, arguments, member) in LISTED.items()
    }
    ours = {
        what: [item for item in items if "cdk-" not in item and "Jobs" not in item and "AWSServiceRole" not in item]
        for what, items in found.items()
    }
    return {what: items for what, items in ours.items() if items}


def leave_an_endpoint_behind(runtime: Runtime, present: str) -> None:
    """Make what an update that failed twice leaves: a scaled endpoint that no stack owns."""
    sagemaker, name = runtime.client("sagemaker"), "kdd99-sandbox-0ldf1eet"
    config = sagemaker.describe_endpoint(EndpointName=present)["EndpointConfigName"]
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    sagemaker.create_endpoint_config(EndpointConfigName="left-behind", ProductionVariants=variants)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="left-behind")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    runtime.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{name}/variant/main",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=2,
    )


def order_of_deletion(runtime: Runtime, stack: str) -> list[str]:
    """Return the resource types of a deleted stack in the order in which they were gone."""
    events = runtime.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    gone = [event for event in events if event["ResourceStatus"] == "DELETE_COMPLETE"]
    return [event["ResourceType"] for event in sorted(gone, key=lambda event: event["Timestamp"])]


@pytest.fixture
def workstation(tmp_path: Path) -> Iterator[Workstation]:
    runtime = launch.start(tmp_path / "sandbox", owner_pid=os.getpid())
    launch.bootstrap(runtime)
    yield Workstation(tmp_path, runtime)
    launch.stop(tmp_path / "sandbox")


@pytest.mark.verify
def test_destroy_leaves_no_resource_and_no_process(workstation: Workstation) -> None:
    groups: dict[str, Any] = {"notebook": {}, "api": {"auth": "api_key"}}
    workstation.deploy(**groups)
    runtime = workstation.runtime
    deployment = Deployment("sandbox", workstation.settings(**groups), runtime)
    assert len(everything(runtime)) >= 15  # or nothing would be proven
    leave_an_endpoint_behind(runtime, workstation.parameter("endpoint/name"))
    listed = survey(deployment)
    things = (
        "stack kdd99-sandbox-notebook",
        "bucket kdd99-sandbox-storage",
        "parameter /kdd99/sandbox/model/approved",
        "endpoint kdd99-sandbox-0ldf1eet",
    )
    for thing in things:
        assert any(line.startswith(thing) for line in listed), listed
    said: list[str] = []
    (serving,) = [
        stack["StackId"]
        for stack in runtime.client("cloudformation").describe_stacks()["Stacks"]
        if stack["StackName"] == "kdd99-sandbox-serving"
    ]
    # the assembly knows no notebook: destroy finds its stack by its name
    remove(deployment, workstation.synthesize(api={"auth": "api_key"}), said.append)
    assert "removed endpoint kdd99-sandbox-0ldf1eet" in said
    assert any("kdd99-sandbox-notebook, which the settings know no more" in line for line in said)
    assert everything(runtime) == {}
    order = order_of_deletion(runtime, serving)
    target, endpoint = "AWS::ApplicationAutoScaling::ScalableTarget", "AWS::SageMaker::Endpoint"
    assert order.index(target) < order.index(endpoint)
    stacks = runtime.client("cloudformation").describe_stacks()["Stacks"]
    assert [stack["StackName"] for stack in stacks] == ["CDKToolkit"]
    assert survey(deployment) == []
    processes = [command for _, command in workstation.processes()]
    assert not [command for command in processes if "serving" in command or "hosting" in command], processes
    launch.stop(Path(runtime.directory))
    assert workstation.processes() == []


@pytest.mark.verify
def test_destroy_refuses_what_is_retained(workstation: Workstation) -> None:
    kept = {"project": {"name": "kdd99", "retain_data": True}}
    workstation.deploy(**kept)
    deployment = Deployment("sandbox", workstation.settings(**kept), workstation.runtime)
    with pytest.raises(DestructionError, match=r"kdd99-sandbox-storage retains AWS::S3::Bucket kdd99-sandbox-storage-"):
        survey(deployment)
