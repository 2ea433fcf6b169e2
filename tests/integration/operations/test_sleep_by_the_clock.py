"""An endpoint that sleeps by the clock: its schedules fire, nobody who calls loses a request, and it wakes by itself.

The sandbox's clock is not compressed here: schedules follow the machine's, and the function asks CloudWatch by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from tests.integration.operations.conftest import ROW, Operator, serving_sandbox

pytestmark = pytest.mark.verify  # minutes: that long nobody must have called

SECONDS = 900.0
SLEEP = {"idle_minutes": 3, "sleep_at": "cron(0/2 * * * ? *)", "wake_at": "cron(1/2 * * * ? *)"}


@pytest.fixture
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """A sandbox of its own: compressed time would have put metrics of the other tests hours ahead."""
    with serving_sandbox(tmp_path_factory.mktemp("clock")) as operator:
        yield operator


def refusals(operator: Operator) -> list[str]:
    """Return what the function has said of an endpoint that is busy."""
    logs = operator.runtime.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    (group,) = [name for name in groups if "SleepScheduleFunction" in name]
    events = logs.filter_log_events(logGroupName=group)["events"]
    return [event["message"] for event in events if "BusyError" in event["message"]]


def status(operator: Operator) -> int:
    url = operator.deployment().api_url("/invocations")
    return int(urllib3.request("POST", url, body=ROW, headers={"Content-Type": "text/csv"}, retries=False).status)


def endpoints(operator: Operator) -> list[Any]:
    return list(operator.runtime.client("sagemaker").list_endpoints()["Endpoints"])


def test_clock_lets_it_sleep_only_when_nobody_calls_and_wakes_it(operator: Operator) -> None:
    with operator.load() as load:
        operator.wait_for(lambda: operator.requests_seen() > 0, SECONDS)
        done = operator.deploy_serving(endpoint={"sleep": SLEEP})
        assert done.returncode == 0, done.stdout + done.stderr
        operator.wait_for(lambda: bool(refusals(operator)), SECONDS)
    assert load.failures == {}
    assert "had" in refusals(operator)[0]
    operator.wait_for(lambda: endpoints(operator) == [], SECONDS)
    operator.wait_for(lambda: status(operator) == 503, SECONDS)
    operator.wait_for(lambda: status(operator) == 200, SECONDS)
