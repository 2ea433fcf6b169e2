"""A workstation that serves a model trained elsewhere: what changes is the endpoint, and nothing is trained."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.deployment import Deployment
from config.settings import Settings
from loadtest.closed_loop_client import Burst, drive
from sandbox import launch, live
from sandbox.scaler.conditions import Conditions
from serving.artifact import LinearModel, write_artifact
from tests.integration.workstation import ENV, Workstation

FEATURES = 3
ROW = b"1.0,2.0,3.0"
USERS, THINK_SECONDS = 6, 0.05  # at most 120 requests a second
STACK = f"kdd99-{ENV}-serving"


class Load:
    """Constant load on the API while a test does something to the endpoint."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self.burst: Burst

    def _run(self) -> None:
        self.burst = drive(
            self._url,
            [ROW],
            content_type="text/csv",
            connections=USERS,
            seconds=300.0,
            think_seconds=THINK_SECONDS,
            stop=self._stop,
        )

    def __enter__(self) -> Load:
        self._thread.start()
        time.sleep(1.0)  # what comes before the change
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(1.0)  # and after it
        self._stop.set()
        self._thread.join()
        assert len(self.burst.codes) > USERS, "nobody called"

    @property
    def failures(self) -> dict[int, int]:
        """How many requests ended with each status that is not 200; 0 is a broken connection."""
        return {status: count for status, count in self.burst.statuses.items() if status != 200}


class Operator(Workstation):
    """Deploys variations of the serving stack under load."""

    def settings(self, **groups: Any) -> Settings:
        model = {"path": "good.tar.gz", "framework": "linear-learner"}
        defaults = {"project": {"name": "kdd99", "retain_data": False}, "model": model, "api": {"auth": "none"}}
        return Settings.model_validate({**defaults, **groups})

    def save_model(self, name: str, features: int = FEATURES, weight: float = 1.0) -> dict[str, Any]:
        """Write a model of so many columns; return its settings."""
        weights = np.full((features, 1), weight, np.float32)
        write_artifact(
            LinearModel("binary_classifier", weights, np.zeros(1, np.float32), "logistic"),
            self.folder / f"{name}.tar.gz",
        )
        return {"path": f"{name}.tar.gz", "framework": "linear-learner"}

    def deploy_serving(self, **groups: Any) -> subprocess.CompletedProcess[str]:
        """Deploy the serving stack alone, and return how it went."""
        assembly = self.synthesize(**groups)
        return self.cdk("deploy", STACK, "--exclusively", "--require-approval", "never", assembly=assembly)

    def load(self) -> Load:
        return Load(self.deployment().api_url("/invocations"))

    def endpoint(self) -> dict[str, Any]:
        name = self.parameter("endpoint/name")
        found: dict[str, Any] = self.runtime.client("sagemaker").describe_endpoint(EndpointName=name)
        return found

    def instances(self) -> int:
        (variant,) = self.endpoint()["ProductionVariants"]
        return int(variant["CurrentInstanceCount"])

    def scale_to(self, count: int) -> None:
        """Scale out as Application Auto Scaling does."""
        sagemaker = self.runtime.client("sagemaker")
        name = self.parameter("endpoint/name")
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": count}]
        )
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1})

    def deployment(self, **groups: Any) -> Deployment:
        return Deployment(ENV, self.settings(**groups), self.runtime)

    def requests_seen(self) -> float:
        """Return how many requests CloudWatch shows of the endpoint."""
        dimensions = {"EndpointName": self.parameter("endpoint/name"), "VariantName": "main"}
        now = datetime.now(UTC)
        answer = self.runtime.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName="Invocations",
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(days=1),
            Period=300,
            Statistics=["Sum"],
        )
        return float(sum(point["Sum"] for point in answer["Datapoints"]))

    def run_at(self, time_scale: float) -> None:
        live.set_conditions(self.runtime, Conditions(time_scale=time_scale))

    def wait_for(self, claim: Callable[[], bool], seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not claim():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.1)


@contextmanager
def serving_sandbox(folder: Path) -> Iterator[Operator]:
    """Yield the operator of a sandbox in `folder` that serves a good model."""
    runtime = launch.start(folder / "sandbox", owner_pid=os.getpid())
    launch.bootstrap(runtime)
    operator = Operator(folder, runtime)
    operator.save_model("good")
    operator.deploy()
    yield operator
    launch.stop(folder / "sandbox")


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with serving_sandbox(tmp_path_factory.mktemp("operator")) as operator:
        yield operator


@pytest.fixture(autouse=True)
def real_time(operator: Operator) -> Iterator[None]:
    yield
    operator.run_at(1.0)
