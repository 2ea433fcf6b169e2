"""Data capture and drift check in the sandbox: what clients send is captured, compared on schedule, and published."""

import json
import random
import time
from typing import Any

import pytest

from cli.predict import ask
from tests.integration.workstation import Workstation, connection

GROUPS: dict[str, Any] = {
    "endpoint": {"data_capture": {"sampling_percentage": 100}},
    "monitoring": {"drift": {"schedule": "rate(1 minute)", "least_rows": 200}},
}
SECONDS = 300.0


def bucket(workstation: Workstation) -> str:
    return workstation.parameter("model/served").split("/")[2]


def captured(workstation: Workstation) -> list[dict[str, Any]]:
    s3 = workstation.runtime.client("s3")
    found = s3.list_objects_v2(Bucket=bucket(workstation), Prefix="captured/").get("Contents", [])
    bodies = [s3.get_object(Bucket=bucket(workstation), Key=each["Key"])["Body"].read() for each in found]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def largest_psi(workstation: Workstation) -> list[float]:
    """Return what the check has published so far, the latest last."""
    answer = workstation.runtime.client("cloudwatch").get_metric_statistics(
        Namespace="SageScale",
        MetricName="LargestPsi",
        Dimensions=[{"Name": "Environment", "Value": "kdd99-sandbox"}],
        StartTime=time.time() - 3600,
        EndTime=time.time() + 60,
        Period=60,
        Statistics=["Maximum"],
    )
    return [point["Maximum"] for point in sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])]


def wait_for(claim: Any, what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not claim():
        assert time.monotonic() < deadline, f"it did not become true that {what}"
        time.sleep(1)


@pytest.mark.verify
def test_changed_requests_are_captured_and_found_by_the_scheduled_check(workstation: Workstation) -> None:
    workstation.deploy(**GROUPS)
    noise = random.Random(1)
    usual = [connection(noise.random() < 0.7, noise) for _ in range(300)]
    for record in usual:
        ask(workstation.deployment(), [record])
    wait_for(lambda: len(captured(workstation)) == len(usual), "every request was captured")
    wait_for(lambda: largest_psi(workstation), "the check has published")
    assert largest_psi(workstation)[-1] < 0.25
    ask(workstation.deployment(), [connection(False, noise) | {"src_bytes": 90_000} for _ in range(300)])
    wait_for(lambda: largest_psi(workstation)[-1] > 0.25, "the check has found the change")
    reports = workstation.runtime.client("s3").list_objects_v2(Bucket=bucket(workstation), Prefix="runs/drift/")
    latest = max(reports["Contents"], key=lambda each: each["LastModified"])
    report = json.loads(
        workstation.runtime.client("s3").get_object(Bucket=bucket(workstation), Key=latest["Key"])["Body"].read()
    )
    assert report["largest"]["feature"] == "src_bytes"


@pytest.mark.verify
def test_drift_check_is_switched_off_in_one_deploy(workstation: Workstation) -> None:
    workstation.begin_with(**GROUPS)
    workstation.deploy()
    machines = workstation.runtime.client("stepfunctions").list_state_machines()["stateMachines"]
    assert not [machine["name"] for machine in machines if machine["name"].endswith("-drift")]
