"""Endpoints as processes: coming into service, swaps, scaling, refusals, deletion."""

from __future__ import annotations

import os
import signal
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.sagemaker.models import sagemaker_backends

from sandbox.runtime import ACCOUNT_ID


def ask(instance: Any) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{instance['port']}/invocations", data=b"x", timeout=5) as answer:
        return str(answer.read().decode())


def answers_at(port: Any) -> bool:
    try:
        return ask({"port": port}) != ""
    except OSError:
        return False


def servers(name: Any) -> Any:
    endpoint: Any = sagemaker_backends[ACCOUNT_ID]["us-east-1"].endpoints[name]
    return endpoint.variants[0].servers


def variant_of(endpoint: Any) -> Any:
    return endpoint["ProductionVariants"][0]


@pytest.fixture
def update(client: Any, name: Any, host: Any) -> Any:
    """Move the endpoint to a second configuration and wait."""

    def run(answer: Any = "two", *, request: Any = None, **options: Any) -> Any:
        host.configure(f"{name}-2", answer, **options)
        client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-2", **(request or {}))
        return host.settled()

    return run


@pytest.fixture
def scalable(runtime: Any, name: Any) -> Any:
    """Register the endpoint's variant with Application Auto Scaling."""

    def register() -> None:
        runtime.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="sagemaker",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            ResourceId=f"endpoint/{name}/variant/main",
            MinCapacity=1,
            MaxCapacity=4,
        )

    return register


def test_endpoint_serves_its_model_on_every_instance(host: Any, instances: Any, predict: Any) -> None:
    host("one", InitialInstanceCount=2, RoutingConfig={"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"})
    variant = variant_of(host.settled())
    assert predict() == "one"
    assert [ask(instance) for instance in instances()] == ["one", "one"]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (2, 2)
    assert variant["RoutingConfig"]["RoutingStrategy"] == "LEAST_OUTSTANDING_REQUESTS"


def test_update_swaps_all_instances_and_ends_the_old_ones(
    host: Any, name: Any, instances: Any, update: Any, predict: Any
) -> None:
    host("one")
    (old,) = instances()
    endpoint = update("two")
    assert endpoint["EndpointConfigName"] == f"{name}-2"
    assert predict() == "two"
    assert not answers_at(old["port"])


def test_update_and_scaling_under_load_lose_no_request(
    client: Any, host: Any, name: Any, update: Any, predict: Any, eventually: Any
) -> None:
    host("one")
    over = threading.Event()
    answers: list[str] = []

    def call() -> None:
        while not over.is_set():
            try:
                answers.append(predict())
            except Exception as error:
                answers.append(repr(error))

    users = [threading.Thread(target=call) for _ in range(4)]
    for user in users:
        user.start()
    eventually(lambda: "one" in answers)
    update("two")
    for count in (3, 1):
        wanted = {"VariantName": "main", "DesiredInstanceCount": count}
        client.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=[wanted])
        host.settled()
    eventually(lambda: "two" in answers)
    over.set()
    for user in users:
        user.join()
    assert set(answers) == {"one", "two"}
    assert predict() == "two"


def test_failed_update_leaves_the_old_configuration_in_service(
    client: Any, host: Any, name: Any, instances: Any, update: Any, predict: Any
) -> None:
    host("one")
    before = instances()
    endpoint = update("two", environment={"MODE": "crash"})
    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", f"{name}-1")
    assert "did not pass the ping health check" in endpoint["FailureReason"]
    assert "model file is of an unknown version" in endpoint["FailureReason"]
    assert instances() == before
    assert predict() == "one"
    client.delete_endpoint_config(EndpointConfigName=f"{name}-2")


def test_endpoint_fails_with_the_missing_artifact_in_its_reason(host: Any, bucket: Any, client: Any, name: Any) -> None:
    host(model_data=f"s3://{bucket}/models/gone.tar.gz")
    endpoint = host.settled()
    assert endpoint["EndpointStatus"] == "Failed"
    assert "gone.tar.gz" in endpoint["FailureReason"]
    with pytest.raises(ClientError, match="can only be deleted"):
        client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-1")


def test_scaling_starts_and_ends_processes(client: Any, host: Any, name: Any, instances: Any) -> None:
    host("one")
    first = instances()

    def scale(**wanted: Any) -> Any:
        client.update_endpoint_weights_and_capacities(
            EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "main", **wanted}]
        )
        return host.settled()

    endpoint = scale(DesiredInstanceCount=3)
    three = instances()
    assert variant_of(endpoint)["CurrentInstanceCount"] == 3
    assert three[0] == first[0]
    assert [ask(instance) for instance in three] == ["one"] * 3
    endpoint = scale(DesiredInstanceCount=1, DesiredWeight=2.0)
    assert variant_of(endpoint)["CurrentWeight"] == 2.0
    assert [answers_at(instance["port"]) for instance in three] == [True, False, False]


def test_scale_out_without_the_artifact_leaves_the_count(
    client: Any, host: Any, name: Any, runtime: Any, bucket: Any, predict: Any
) -> None:
    host("one")
    runtime.client("s3").delete_object(Bucket=bucket, Key=f"models/{name}-1.tar.gz")
    client.update_endpoint_weights_and_capacities(
        EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": 2}]
    )
    endpoint = host.settled()
    variant = variant_of(endpoint)
    assert "Failed to download model data" in endpoint["FailureReason"]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (1, 1)
    assert predict() == "one"


@pytest.mark.parametrize(
    ("request_fields", "count", "weight"),
    [
        ({}, 1, 1.0),
        ({"RetainAllVariantProperties": True}, 2, 3.0),
        (
            {
                "RetainAllVariantProperties": True,
                "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}],
            },
            2,
            1.0,
        ),
    ],
)
def test_update_keeps_live_counts_and_weights_only_when_asked(
    client: Any, host: Any, name: Any, update: Any, request_fields: Any, count: Any, weight: Any
) -> None:
    host("one")
    client.update_endpoint_weights_and_capacities(
        EndpointName=name,
        DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": 2, "DesiredWeight": 3.0}],
    )
    host.settled()
    variant = variant_of(update("two", request=request_fields))
    assert (variant["CurrentInstanceCount"], variant["CurrentWeight"]) == (count, weight)


def test_instance_type_cannot_change_under_automatic_scaling(
    client: Any, host: Any, name: Any, update: Any, scalable: Any
) -> None:
    host("one")
    scalable()
    with pytest.raises(ClientError, match='"main" must be deregistered as scalable targets'):
        update("two", InstanceType="ml.m5.large")
    host.configure(f"{name}-3", "three")
    client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-3")
    assert host.settled()["EndpointConfigName"] == f"{name}-3"


def test_variant_cannot_be_removed_under_automatic_scaling(
    client: Any, host: Any, name: Any, update: Any, scalable: Any
) -> None:
    host("one")
    scalable()
    with pytest.raises(ClientError, match='"main" must be deregistered'):
        update("two", VariantName="other")


def test_instance_that_dies_is_replaced(host: Any, instances: Any, predict: Any, name: Any, eventually: Any) -> None:
    host("one", InitialInstanceCount=2)
    first, second = instances()
    server = next(item for item in servers(name) if item.port == first["port"])
    os.kill(server.process.pid, signal.SIGKILL)
    eventually(lambda: first not in instances() and len(instances()) == 2)
    assert second in instances()
    assert [ask(instance) for instance in instances()] == ["one", "one"]
    assert host.settled()["EndpointStatus"] == "InService"
    eventually(lambda: not server.root.exists())


def test_deleting_ends_processes_and_scaling(
    client: Any, host: Any, name: Any, instances: Any, predict: Any, runtime: Any, scalable: Any, eventually: Any
) -> None:
    host("one")
    scalable()
    (instance,) = instances()
    client.delete_endpoint(EndpointName=name)
    eventually(lambda: not client.list_endpoints(NameContains=name)["Endpoints"])
    with pytest.raises(ClientError, match=name):
        predict()
    assert not answers_at(instance["port"])
    targets = runtime.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[f"endpoint/{name}/variant/main"]
    )
    assert targets["ScalableTargets"] == []
    with pytest.raises(ClientError, match="Could not find endpoint"):
        client.describe_endpoint(EndpointName=name)


def test_busy_endpoint_refuses_changes(client: Any, host: Any, name: Any, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    host("one", wait=False, environment={"WAITS_FOR": str(asked)})
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-1")
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        client.delete_endpoint(EndpointName=name)
    asked.touch()
    assert host.settled()["EndpointStatus"] == "InService"


def test_configuration_in_use_cannot_be_deleted_or_replaced(client: Any, host: Any, name: Any) -> None:
    host("one")
    with pytest.raises(ClientError, match="Cannot delete endpoint configuration"):
        client.delete_endpoint_config(EndpointConfigName=f"{name}-1")
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        host.configure(f"{name}-1")


def test_instances_log_to_cloudwatch(host: Any, name: Any, runtime: Any, eventually: Any) -> None:
    host("one")
    logs = runtime.client("logs")
    group = f"/aws/sagemaker/Endpoints/{name}"
    eventually(lambda: logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"])
    event = eventually(lambda: logs.filter_log_events(logGroupName=group)["events"])[0]
    assert event["logStreamName"].startswith("main/i-")
    assert event["message"] == "serving one"


@pytest.mark.parametrize(
    "instance_type", ["ml.m4.xlarge", "ml.m6i.large", "ml.c7i.xlarge", "ml.m7i.large", "ml.g5.xlarge"]
)
def test_current_instance_types_are_accepted(host: Any, name: Any, instance_type: Any) -> None:
    host.configure(f"{name}-1", InstanceType=instance_type)


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"InstanceType": "ml.x9.large"}, "'ml.x9.large' at 'instanceType'"),
        ({"InitialInstanceCount": None}, "at least 1 is needed"),
        ({"AcceleratorType": "ml.eia1.medium"}, "does not emulate .*AcceleratorType"),
    ],
)
def test_what_cannot_be_hosted_is_refused_by_name(host: Any, name: Any, variant: Any, message: Any) -> None:
    with pytest.raises(ClientError, match=message):
        host.configure(f"{name}-1", **variant)


def test_model_with_an_unknown_image_is_refused_by_name(client: Any, name: Any) -> None:
    container = {"Image": "1.dkr.ecr.us-east-1.amazonaws.com/own-server:2", "ModelDataUrl": "s3://a/b"}
    with pytest.raises(ClientError, match=r"hosting image .*own-server:2.*linear-learner"):
        client.create_model(ModelName=name, ExecutionRoleArn="arn:aws:iam::1:role/x", PrimaryContainer=container)
