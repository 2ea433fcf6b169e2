"""Runs Taurus with JMeter, or Locust, against a deployment; both leave samples in JMeter's CSV form."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import yaml

from autoscaling.workload import ClosedLoop, Workload
from cli.deployment import Deployment
from sandbox.processes import REPOSITORY_ROOT
from sandbox.runtime import ACCESS_KEY_ID, SECRET_ACCESS_KEY

SCENARIOS = REPOSITORY_ROOT / "loadtest" / "scenarios"
ENVIRONMENT = REPOSITORY_ROOT / "build" / "load-venv"
REQUIREMENTS = REPOSITORY_ROOT / "requirements-load.txt"
STOP_SECONDS = 60.0  # JMeter waits for the answers that its users wait for


class GeneratorError(Exception):
    """A load generator could not be set up or gave no samples; the message says why."""


@dataclass(frozen=True)
class Credentials:
    """What signs requests; None of it for APIs that want no signature."""

    access_key: str
    secret_key: str
    token: str | None
    region: str

    @classmethod
    def of(cls, deployment: Deployment) -> Credentials | None:
        """Return the credentials that the deployment's API wants requests signed with."""
        if deployment.settings.api.auth != "iam":
            return None
        region = deployment.client("apigateway").meta.region_name
        if deployment.runtime:
            return cls(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, region)
        found = boto3.Session().get_credentials()
        if found is None:
            raise GeneratorError("no AWS credentials: the API wants signed requests (auth = iam)")
        frozen = found.get_frozen_credentials()
        return cls(frozen.access_key, frozen.secret_key, frozen.token, region)

    def environment(self) -> dict[str, str]:
        """Return the variables in which the AWS SDKs look for credentials."""
        token = {"AWS_SESSION_TOKEN": self.token} if self.token else {}
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key, **token}


@dataclass(frozen=True, kw_only=True)
class Load:
    """Users over time.

    Parameters
    ----------
    users : tuple of float
        At the borders of steps; in between they change linearly.
    step_seconds : float
    think_seconds : float
        From an answer to the same user's next request.
    paced : bool
        Open loop: each user begins a request a second, however long answers take (below a second).
    """

    users: tuple[float, ...]
    step_seconds: float
    think_seconds: float = 0.0
    paced: bool = False

    @classmethod
    def ramp_and_hold(cls, users: int, ramp_seconds: int, hold_seconds: int) -> Load:
        """Users who come evenly and then stay."""
        ramp = [users * second / ramp_seconds for second in range(ramp_seconds)]
        return cls(users=(*ramp, *[float(users)] * (hold_seconds + 1)), step_seconds=1.0)

    @classmethod
    def of(cls, workload: Workload) -> Load:
        """Load of a workload; an open loop's requests come from as many paced users as there are requests a second."""
        if isinstance(workload, ClosedLoop):
            return cls(
                users=tuple(workload.users.tolist()), step_seconds=60.0, think_seconds=workload.think_time_seconds
            )
        rates = (workload.requests / 60).tolist()
        return cls(users=(*rates, rates[-1]), step_seconds=60.0, paced=True)


@dataclass(frozen=True, kw_only=True)
class Test:
    """What is sent where.

    Parameters
    ----------
    url : str
        Of the API's method.
    headers : mapping of str to str
        Of every request, authentication by key included.
    records : list of bytes
        Bodies, a CSV row each.
    load : Load
        Users over time.
    credentials : Credentials, optional
        Sign the requests.
    folder : Path
        Where everything goes that the generator writes.
    """

    url: str
    headers: Mapping[str, str]
    records: list[bytes]
    load: Load
    credentials: Credentials | None
    folder: Path

    def write_records(self) -> Path:
        """Write the bodies, one a line."""
        path = self.folder / "records.tsv"
        path.write_bytes(b"\n".join(self.records) + b"\n")
        return path


def program(name: str) -> Path:
    """Return a load generator's command; the first call makes its environment."""
    command = ENVIRONMENT / "bin" / name
    if command.exists():
        return command
    uv = REPOSITORY_ROOT / ".tools" / "bin" / "uv"
    if not uv.exists():
        raise GeneratorError(f"{uv} is missing, which sets the load generators up: `make install` fetches it")
    steps = [
        [str(uv), "venv", "--quiet", "--python", sys.executable, str(ENVIRONMENT)],
        [str(uv), "pip", "install", "--quiet", "--python", str(ENVIRONMENT), "-r", str(REQUIREMENTS)],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            raise GeneratorError(f"{' '.join(step[:3])} failed:\n{done.stderr[-2000:]}")
    return command


def run_jmeter(test: Test, *, ramp_seconds: int, hold_seconds: int, jmeter: Mapping[str, Any] | None) -> Path:
    """Run the article's scenario with Taurus and JMeter.

    Parameters
    ----------
    test
        What is sent where; of its load the highest number of users counts.
    ramp_seconds, hold_seconds
        The users come evenly, then stay.
    jmeter
        Options of Taurus's JMeter module; by default Taurus fetches JMeter.

    Returns
    -------
    Path
        Of the samples.

    Raises
    ------
    GeneratorError
        JMeter did not run.
    """
    config = taurus_config(test, ramp_seconds=ramp_seconds, hold_seconds=hold_seconds, jmeter=jmeter)
    path = test.folder / "article.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    path.chmod(0o600)  # its headers may hold the API key, a signed test's properties hold credentials
    try:
        _run([str(program("bzt")), str(path)], test.folder, {})
    finally:
        if test.credentials:
            for file in test.folder.rglob("*"):
                _forget_secret(file, test.credentials.secret_key)
    return _found(test.folder / "artifacts" / "kpi.jtl", test)


def taurus_config(
    test: Test, *, ramp_seconds: int, hold_seconds: int, jmeter: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the committed scenario with everything of one test filled in."""
    config: dict[str, Any] = yaml.safe_load((SCENARIOS / "article.yml").read_text(encoding="utf-8"))
    execution, scenario = config["execution"][0], config["scenarios"]["article"]
    execution["concurrency"] = round(max(test.load.users))
    execution["ramp-up"] = f"{ramp_seconds}s"
    execution["hold-for"] = f"{hold_seconds}s"
    scenario["data-sources"][0]["path"] = str(test.write_records())
    request = scenario["requests"][0]
    request["url"] = test.url
    request["headers"] |= dict(test.headers)
    module = dict(jmeter or {})
    if test.credentials:
        script = {"language": "groovy", "execute": "before", "script-file": str(SCENARIOS / "sign.groovy")}
        request["jsr223"] = [script]
        module["properties"] = {
            "aws_access_key": test.credentials.access_key,
            "aws_secret_key": test.credentials.secret_key,
            "aws_region": test.credentials.region,
            **({"aws_session_token": test.credentials.token} if test.credentials.token else {}),
        }
    config["modules"] = {"jmeter": module, "console": {"disable": True}}
    config["settings"]["artifacts-dir"] = str(test.folder / "artifacts")
    return config


def run_locust(test: Test) -> Path:
    """Run the Locust scenario; return the samples as `run_jmeter` does."""
    target = urlsplit(test.url)
    samples = test.folder / "samples.jtl"
    description = {
        "path": target.path,
        "headers": dict(test.headers),
        "records": str(test.write_records()),
        "users": test.load.users,
        "step_seconds": test.load.step_seconds,
        "think_seconds": test.load.think_seconds,
        "paced": test.load.paced,
        "samples": str(samples),
        "signing": test.credentials.region if test.credentials else None,
    }
    path = test.folder / "test.json"  # the report's figures are <scenario>.json
    path.write_text(json.dumps(description), encoding="utf-8")
    path.chmod(0o600)  # it may hold the API key
    arguments = ["--headless", "--only-summary", "--host", f"{target.scheme}://{target.netloc}"]
    arguments += ["--csv", str(test.folder / "locust"), "-f", str(SCENARIOS / "locustfile.py")]
    secrets = test.credentials.environment() if test.credentials else {}
    _run([str(program("locust")), *arguments], test.folder, {"SAGESCALE_LOADTEST": str(path), **secrets})
    return _found(samples, test)


def _found(samples: Path, test: Test) -> Path:
    if samples.exists():
        return samples
    raise GeneratorError(f"the load generator wrote no samples; {test.folder / 'generator.log'} says why")


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Run a generator; its exit code is not the verdict, the samples are. Interrupted, it ends what it started."""
    log = folder / "generator.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a terminal's Ctrl-C comes to us alone, and is passed on once
        ) as generator,
    ):
        try:
            code = generator.wait()
        except BaseException:
            _interrupt(generator)
            raise
    if code not in {0, 1, 3}:  # 1: Locust saw failed requests; 3: Taurus's own criteria ended the test
        raise GeneratorError(f"{command[0]} ended with code {code}; see {log}")


def _interrupt(generator: subprocess.Popen[bytes]) -> None:
    """Let a generator stop its users: Taurus's JMeter has a process group of its own, and would call on without it."""
    generator.send_signal(signal.SIGINT)
    try:
        generator.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        generator.kill()


def _forget_secret(path: Path, secret: str) -> None:
    """Take the secret key out of a file that the generator wrote."""
    if path.is_file():
        content = path.read_bytes()
        if secret.encode() in content:
            path.write_bytes(content.replace(secret.encode(), b"***"))
