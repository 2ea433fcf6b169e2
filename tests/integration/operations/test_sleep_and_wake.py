"""An endpoint that sleeps: not while it is busy; the API says why it does not answer; and on waking all is back."""

from __future__ import annotations

from typing import Any

import pytest
import urllib3

from cli import sleep
from tests.integration.operations.conftest import ROW, STACK, Operator

pytestmark = pytest.mark.verify  # minutes, because it deploys and updates

SCALE = 60.0
SLEEPY: dict[str, Any] = {"endpoint": {"sleep": {"idle_minutes": 5}}}


def call(operator: Operator) -> urllib3.BaseHTTPResponse:
    url = operator.deployment().api_url("/invocations")
    return urllib3.request("POST", url, body=ROW, headers={"Content-Type": "text/csv"}, retries=False)


def targets(operator: Operator) -> list[Any]:
    scaling = operator.runtime.client("application-autoscaling")
    return list(scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"])


def endpoints(operator: Operator) -> list[Any]:
    return list(operator.runtime.client("sagemaker").list_endpoints()["Endpoints"])


def differences(operator: Operator, state: str) -> str:
    """Return what `cdk diff` says of the unchanged stack; nothing where it sees no difference.

    Unlike `cdk deploy`, `cdk diff` takes a parameter that it is not given at its default.
    """
    given = ("--parameters", f"{STACK}:EndpointState={state}")
    done = operator.cdk("diff", STACK, "--exclusively", "--fail", *given, assembly=operator.synthesize(**SLEEPY))
    return done.stdout + done.stderr if done.returncode else ""


@pytest.fixture
def sleepy(operator: Operator) -> Operator:
    done = operator.deploy_serving(**SLEEPY)
    assert done.returncode == 0, done.stdout + done.stderr
    return operator


def test_sleep_is_refused_under_load_and_forced_answers_503_until_it_is_woken(sleepy: Operator) -> None:
    assert differences(sleepy, "awake") == ""
    sleepy.run_at(SCALE)
    deployment = sleepy.deployment(**SLEEPY)
    with sleepy.load() as load:
        sleepy.wait_for(lambda: sleepy.requests_seen() > 0)
        with pytest.raises(sleep.NotSwitchedError, match=r"requests in the last 5 minutes.*--force"):
            sleep.put_to_sleep(deployment, force=False)
    assert load.failures == {}
    with sleepy.load() as load:
        sleep.put_to_sleep(deployment, force=True)
    assert set(load.failures) == {503}
    assert (endpoints(sleepy), targets(sleepy)) == ([], [])
    answer = call(sleepy)
    assert (answer.status, answer.headers["Content-Type"]) == (503, "application/json")
    assert "asleep" in answer.json()["message"]
    assert differences(sleepy, "asleep") == ""

    done = sleepy.deploy_serving(**SLEEPY, model=sleepy.save_model("dream", weight=0.5))
    assert done.returncode == 0, done.stdout + done.stderr
    assert endpoints(sleepy) == []  # a deploy does not wake it

    with sleepy.load() as load:
        sleep.switch(deployment, "awake")
    assert set(load.failures) == {503}
    assert call(sleepy).status == 200
    assert (len(endpoints(sleepy)), len(targets(sleepy))) == (1, 1)
    sleep.switch(deployment, "awake")  # nothing to do, and no error
