"""One environment of its own, deployed, changed under load, scaled and destroyed: in AWS or in the sandbox.

The project gets a name of its own (`<project>-e2e`), so an environment that is deployed under the same name stays as it
is. Settings are those of the environment but for what makes scaling happen within minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.deployment import Deployment
from cli.destroy import remove, survey
from cli.predict import ask
from cli.smoke import RECORD, ask_once
from cli.synthesis import CDK, synthesize
from config.settings import Settings
from sandbox import launch, live
from sandbox.processes import REPOSITORY_ROOT
from sandbox.runtime import Runtime
from sandbox.scaler.conditions import Conditions

CALLERS, REQUESTS_PER_SECOND = 4, 10.0
TARGET = 200.0  # invocations / minute / instance: the load above is three times that
SCALING = {
    "min_capacity": 1,
    "max_capacity": 2,
    "policies": [{"kind": "target_tracking", "metric": "invocations_per_instance", "target": TARGET}],
}
SCALE_SECONDS = 1800.0  # three datapoints, then the article's 5 to 7 minutes, and AWS's worse days
OTHER_TYPES = {"ml.m4.xlarge": "ml.m5.xlarge"}  # of the same size; any other becomes ml.m4.xlarge
COMPRESSED = Conditions(time_scale=20.0)


class Trial:
    """The environment under test.

    Parameters
    ----------
    settings : Settings
        Of the environment that is imitated.
    config : Path
        Folder for the settings as the test varies them.
    runtime : Runtime, optional
        Sandbox; AWS by default.
    """

    def __init__(self, env: str, settings: Settings, config: Path, runtime: Runtime | None) -> None:
        self.env = env
        self._config = config
        self._given = settings.model_dump(mode="json", exclude_unset=True)
        self._instance_type = settings.endpoint.variants[0].instance_type
        self._runtime = runtime
        self.configure()

    def configure(self, *, epochs: int = 2, other_type: bool = False) -> None:
        """Write the settings of the next deploy."""
        new_type = OTHER_TYPES.get(self._instance_type, "ml.m4.xlarge") if other_type else self._instance_type
        training = self._given.get("training", {})
        hyperparameters = {**training.get("hyperparameters", {}), "epochs": epochs}
        values = {
            **self._given,
            "project": {
                **self._given["project"],
                "name": f"{self._given['project']['name']}-e2e",
                "retain_data": False,
            },
            "training": {**training, "hyperparameters": hyperparameters},
            "endpoint": {"variants": [{"name": "main", "instance_type": new_type, "scaling": SCALING}]},
        }
        for unused in ("notebook", "pipeline"):
            values.pop(unused, None)
        self.settings = Settings.model_validate(values)
        text = "\n".join(f"{key} = {as_toml(value)}" for key, value in values.items())
        (self._config / f"{self.env}.toml").write_text(text, encoding="utf-8")

    @property
    def deployment(self) -> Deployment:
        """Return what the command line finds."""
        return Deployment(self.env, self.settings, self._runtime)

    def deploy(self) -> None:
        """Deploy as the settings are now."""
        environment = launch.cdk_environment(self._runtime) if self._runtime else dict(os.environ)
        command = [CDK, "deploy", "--all", "--require-approval", "never", "-c", f"env={self.env}"]
        done = subprocess.run(
            [*command, "--output", str(self._config / "cdk.out")], cwd=REPOSITORY_ROOT, env=environment, check=False
        )
        assert done.returncode == 0, "the deploy failed, see above"

    def destroy(self) -> None:
        """Destroy; fails where anything is left."""
        with tempfile.TemporaryDirectory() as scratch:
            remove(self.deployment, synthesize(self.env, Path(scratch)), print)
        assert survey(self.deployment) == []

    def label(self) -> str:
        """Return what the API says of one record."""
        (answer,) = ask(self.deployment, [RECORD])
        return str(answer["label"])

    def endpoint(self) -> str:
        """Return the endpoint's name."""
        return self.deployment.outputs("serving")["EndpointName"]

    def served(self) -> str:
        """Return the model that is served."""
        name = f"/{self.settings.project.name}/{self.env}/model/served"
        return str(self.deployment.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])

    def instances(self) -> int:
        """Return how many instances are in service."""
        described = self.deployment.client("sagemaker").describe_endpoint(EndpointName=self.endpoint())
        return int(described["ProductionVariants"][0]["CurrentInstanceCount"])

    def compress_time(self) -> None:
        """Let the sandbox's clock run faster; AWS has only one."""
        if self._runtime:
            live.set_conditions(self._runtime, COMPRESSED)

    def wait_for(self, claim: Callable[[], bool], what: str) -> None:
        """Wait until something is the case."""
        deadline = time.monotonic() + SCALE_SECONDS
        while not claim():
            assert time.monotonic() < deadline, f"in {SCALE_SECONDS:g} s it did not become true that {what}"
            time.sleep(1.0 if self._runtime else 15.0)

    @contextmanager
    def load(self) -> Iterator[list[str]]:
        """Call the API all the while; yields the reasons of requests that failed."""
        failures: list[str] = []
        stop = threading.Event()
        deployment = self.deployment
        counted = iter(range(1_000_000_000))

        def call() -> None:
            while not stop.wait(CALLERS / REQUESTS_PER_SECOND):
                next(counted)
                if reason := ask_once(deployment):
                    failures.append(reason)

        callers = [threading.Thread(target=call) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            yield failures
        finally:
            stop.set()
            for caller in callers:
                caller.join()
            assert next(counted) > 0, "nobody called"


def as_toml(value: Any) -> str:
    """Write a value of the settings as TOML, tables inline; strings are those of JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {as_toml(each)}" for key, each in value.items() if each is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(as_toml(each) for each in value) + "]"
    return json.dumps(value)
