"""Updates that move traffic in steps, watched by alarms, against processes and the data plane."""

from __future__ import annotations

import threading
from collections.abc import Callable
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


class Load:
    """Two users who ask all the time, and what they were answered, errors among it."""

    def __init__(self, predict: Callable[[], str]) -> None:
        self.answers: list[str] = []
        self._predict = predict
        self._over = threading.Event()
        self._users = [threading.Thread(target=self._ask) for _ in range(2)]

    def _ask(self) -> None:
        while not self._over.wait(0.01):
            try:
                self.answers.append(self._predict())
            except Exception as error:
                self.answers.append(repr(error))

    def __enter__(self) -> Load:
        for user in self._users:
            user.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for user in self._users:
            user.join()


def most_instances(name: str) -> int:
    endpoint: Any = sagemaker_backends[ACCOUNT_ID]["us-east-1"].endpoints[name]
    return sum(len(variant.servers) for variant in (*endpoint.variants, *endpoint.next_variants))


@pytest.mark.parametrize("policy", POLICIES)
def test_update_in_steps_loses_no_request(
    policy: str, client: Any, host: Any, name: str, quick: None, predict: Any, eventually: Any
) -> None:
    host("one", InitialInstanceCount=FLEET)
    host.configure(f"{name}-2", "two", InitialInstanceCount=FLEET)
    seen = []

    def is_updated() -> bool:
        seen.append(most_instances(name))
        return bool(client.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")

    with Load(predict) as load:
        eventually(lambda: "one" in load.answers)
        client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-2", DeploymentConfig=POLICIES[policy])
        eventually(is_updated, timeout_seconds=60)
        eventually(lambda: "two" in load.answers)
    endpoint = host.settled()
    assert set(load.answers) == {"one", "two"}
    assert (endpoint["EndpointConfigName"], predict()) == (f"{name}-2", "two")
    assert endpoint["LastDeploymentConfig"] == POLICIES[policy]
    assert max(seen) <= (FLEET + 1 if policy == "rolling" else 2 * FLEET)


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
    answers = [predict() for _ in range(200)]
    assert 0.1 < answers.count("two") / len(answers) < 0.45  # a quarter, of which 200 draws are never so far
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
    ("count", "refusals"),
    [
        (1, [(blue_green("CANARY", CanarySize=size(50)), r"of at least 2 are allowed")]),
        (
            4,
            [
                (blue_green("CANARY", CanarySize=size(60)), r"CanarySize is 60 % of the 4 instance\(s\).*0 to 50 %"),
                (
                    blue_green("LINEAR", LinearStepSize={"Type": "INSTANCE_COUNT", "Value": 3}),
                    r"LinearStepSize is 75 %",
                ),
                (blue_green("LINEAR"), r"LinearStepSize is missing"),
                (
                    {"RollingUpdatePolicy": {"MaximumBatchSize": size(4), "WaitIntervalInSeconds": 0}},
                    r"4 % of the 4.*5 to",
                ),
                ({**CANARY, **ROLLING}, r"not both"),
                (
                    {**CANARY, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "none"}]}},
                    r"there is no alarm none",
                ),
            ],
        ),
    ],
)
def test_policies_that_do_not_fit_are_refused(
    count: int, refusals: list[tuple[dict[str, Any], str]], client: Any, host: Any, name: str
) -> None:
    host("one", InitialInstanceCount=count)
    host.configure(f"{name}-2", "two", InitialInstanceCount=count)
    for policy, reason in refusals:
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
