"""Updates that move traffic in steps, watched by alarms, against processes and the data plane."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.sagemaker.models import sagemaker_backends

from sandbox.runtime import ACCOUNT_ID
from sandbox.sagemaker.deployment import Deployer

FLEET = 4
QUICK = 3_000.0  # sandbox seconds a second: five minutes of baking in a tenth of a second


def size(percent: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": percent}


def blue_green(kind: str, **routing: Any) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": 300, **routing},
            "TerminationWaitInSeconds": 60,
        }
    }


CANARY = blue_green("CANARY", CanarySize=size(25))
ROLLING = {"RollingUpdatePolicy": {"MaximumBatchSize": size(25), "WaitIntervalInSeconds": 300}}
POLICIES = {
    "all at once": blue_green("ALL_AT_ONCE"),
    "canary": CANARY,
    "linear": blue_green("LINEAR", LinearStepSize=size(50)),
    "rolling": ROLLING,
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deployer.oven, "time_scale", QUICK)


@pytest.fixture
def alarm(runtime: Any, name: str) -> str:
    """An alarm that nobody evaluates: its state is what the test sets."""
    runtime.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="Tests",
        MetricName="Errors",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    return name


@pytest.fixture
def load(predict: Callable[[], str]) -> Iterator[list[str]]:
    """Users who ask all the time; what they were answered, errors among it."""
    over, answers = threading.Event(), list[str]()

    def ask() -> None:
        while not over.wait(0.01):
            try:
                answers.append(predict())
            except Exception as error:
                answers.append(repr(error))

    users = [threading.Thread(target=ask) for _ in range(2)]

    class Load(list[str]):
        def begin(self) -> None:
            for user in users:
                user.start()

        def end(self) -> list[str]:
            over.set()
            for user in users:
                user.join()
            return answers

    yield (load := Load())
    load.end()


def most_instances(name: str) -> int:
    endpoint: Any = sagemaker_backends[ACCOUNT_ID]["us-east-1"].endpoints[name]
    return sum(len(variant.servers) for variant in (*endpoint.variants, *endpoint.next_variants))


@pytest.mark.parametrize("policy", POLICIES)
def test_update_in_steps_loses_no_request(
    policy: str, client: Any, host: Any, name: str, load: Any, quick: None, predict: Any
) -> None:
    host("one", InitialInstanceCount=FLEET)
    host.configure(f"{name}-2", "two", InitialInstanceCount=FLEET)
    load.begin()
    client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-2", DeploymentConfig=POLICIES[policy])
    most = 0
    while client.describe_endpoint(EndpointName=name)["EndpointStatus"] != "InService":
        most = max(most, most_instances(name))
    endpoint = host.settled()
    assert set(load.end()) == {"one", "two"}
    assert (endpoint["EndpointConfigName"], predict()) == (f"{name}-2", "two")
    assert endpoint["LastDeploymentConfig"] == POLICIES[policy]
    assert most <= (FLEET + 1 if policy == "rolling" else 2 * FLEET)


@pytest.mark.parametrize("policy", [CANARY, ROLLING], ids=["canary", "rolling"])
def test_alarm_brings_the_old_fleet_back_and_names_itself(
    policy: dict[str, Any], client: Any, host: Any, name: str, alarm: str, runtime: Any, predict: Any, eventually: Any
) -> None:
    host("one", InitialInstanceCount=FLEET)
    host.configure(f"{name}-2", "two", InitialInstanceCount=FLEET)
    watched = {**policy, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]}}
    client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-2", DeploymentConfig=watched)
    eventually(lambda: predict() == "two", timeout_seconds=60)
    pending = client.describe_endpoint(EndpointName=name)["PendingDeploymentSummary"]
    assert pending["EndpointConfigName"] == f"{name}-2"
    answers = [predict() for _ in range(400)]
    assert 0.1 < answers.count("two") / len(answers) < 0.45  # a quarter, of which 400 draws are never so far
    runtime.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="the test says so")
    eventually(lambda: client.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService", timeout_seconds=60)
    endpoint = host.settled()
    assert endpoint["EndpointConfigName"] == f"{name}-1"
    assert alarm in endpoint["FailureReason"]
    assert {predict() for _ in range(50)} == {"one"}
    assert most_instances(name) == FLEET


def test_endpoint_under_update_refuses_another_one(client: Any, host: Any, name: str, alarm: str, runtime: Any) -> None:
    host("one", InitialInstanceCount=FLEET)
    host.configure(f"{name}-2", "two", InitialInstanceCount=FLEET)
    watched = {**CANARY, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]}}
    client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-2", DeploymentConfig=watched)
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-1")
    runtime.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="enough")
    host.settled()


@pytest.mark.parametrize(
    ("policy", "count", "reason"),
    [
        (blue_green("CANARY", CanarySize=size(60)), 4, r"CanarySize is 60 % of the 4 instance\(s\).*0 to 50 %"),
        (blue_green("CANARY", CanarySize=size(50)), 1, r"of at least 2 are allowed"),
        (blue_green("LINEAR", LinearStepSize={"Type": "INSTANCE_COUNT", "Value": 3}), 4, r"LinearStepSize is 75 %"),
        (blue_green("LINEAR"), 4, r"LinearStepSize is missing"),
        ({"RollingUpdatePolicy": {"MaximumBatchSize": size(4), "WaitIntervalInSeconds": 0}}, 4, r"4 % of the 4.*5 to"),
        ({**CANARY, **ROLLING}, 4, r"not both"),
        ({**CANARY, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "none"}]}}, 4, r"there is no alarm none"),
    ],
)
def test_policy_that_does_not_fit_is_refused(
    policy: dict[str, Any], count: int, reason: str, client: Any, host: Any, name: str
) -> None:
    host("one", InitialInstanceCount=count)
    host.configure(f"{name}-2", "two", InitialInstanceCount=count)
    with pytest.raises(ClientError, match=reason):
        client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-2", DeploymentConfig=policy)


def test_variants_keep_their_names_in_a_canary_update(client: Any, host: Any, name: str) -> None:
    host("one", InitialInstanceCount=2)
    host.configure(f"{name}-2", "two", InitialInstanceCount=2, VariantName="other")
    half = blue_green("CANARY", CanarySize=size(50))
    with pytest.raises(ClientError, match="variants must keep their names: main became other"):
        client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-2", DeploymentConfig=half)


def test_update_beyond_its_timeout_goes_back(client: Any, host: Any, name: str, quick: None, predict: Any) -> None:
    host("one", InitialInstanceCount=2)
    host.configure(f"{name}-2", "two", InitialInstanceCount=2)
    slow = blue_green("CANARY", CanarySize=size(50), WaitIntervalInSeconds=601)
    slow["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-2", DeploymentConfig=slow)
    endpoint = host.settled()
    assert endpoint["EndpointConfigName"] == f"{name}-1"
    assert "maximum execution timeout of 600 s" in endpoint["FailureReason"]
    assert predict() == "one"
