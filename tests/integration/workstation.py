"""A workstation with the CDK CLI and a sandbox: what the whole-path tests type."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from cli.deployment import Deployment
from cli.predict import ask
from config.settings import Settings
from sandbox import launch
from sandbox.runtime import Runtime
from stacks.stage import add_stacks
from tests.feature_flags import UNVALIDATED
from training import schema

ROOT = Path(__file__).parents[2]
CDK = str(ROOT / "node_modules" / ".bin" / "cdk")
ENV = "sandbox"


def connection(attack: bool, noise: random.Random) -> dict[str, Any]:
    """Return a connection that looks like a web request, or like a smurf attack."""
    record: dict[str, Any] = {feature.name: 0 for feature in schema.FEATURES}
    if attack:
        shape = {"protocol_type": "icmp", "service": "ecr_i", "src_bytes": 1032, "count": 511}
    else:
        shape = {"protocol_type": "tcp", "service": "http", "src_bytes": 200, "dst_bytes": 4000, "logged_in": 1}
    record |= {"flag": "SF", "same_srv_rate": 1.0, **shape}
    record["src_bytes"] += noise.randrange(50)
    return record


def write_dataset(path: Path, rows: int, broken_row: int | None = None) -> Path:
    """Write labelled connections as KDD99's files hold them; `broken_row` counts from 1."""
    noise = random.Random(path.name)
    with gzip.open(path, "wt") as file:
        for number in range(1, rows + 1):
            attack = noise.random() < 0.7
            values = [str(value) for value in connection(attack, noise).values()]
            if number == broken_row:
                values[4] = "many"
            file.write(",".join([*values, "smurf." if attack else "normal."]) + "\n")
    return path


class Workstation:
    """Deploys variations of one environment into one sandbox."""

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self.folder = folder
        self.runtime = runtime
        self.train = write_dataset(folder / "train.gz", 4_000)
        self.test = write_dataset(folder / "test.gz", 1_000)
        self._assemblies: dict[str, Path] = {}
        self._deployed: Path | None = None

    def settings(self, **groups: Any) -> Settings:
        defaults = {
            "project": {"name": "kdd99", "retain_data": False},
            "dataset": {"train": str(self.train), "test": str(self.test)},
            "training": {"hyperparameters": {"epochs": 2}},
            "api": {"auth": "none"},
        }
        return Settings.model_validate({**defaults, **groups})

    def synthesize(self, **groups: Any) -> Path:
        """Write the assembly of the environment with some groups of settings replaced."""
        settings = self.settings(**groups)
        key = settings.model_dump_json()
        if key not in self._assemblies:
            folder = self.folder / f"cdk.out.{len(self._assemblies)}"
            app = cdk.App(outdir=str(folder), context=UNVALIDATED)
            add_stacks(app, env=ENV, settings=settings, root=self.folder)
            self._assemblies[key] = Path(app.synth().directory)
        return self._assemblies[key]

    def command(self, *arguments: str, assembly: Path) -> list[str]:
        return [CDK, arguments[0], "--app", str(assembly), *arguments[1:]]

    def cdk(self, *arguments: str, assembly: Path) -> subprocess.CompletedProcess[str]:
        """Run the CDK CLI in the sandbox."""
        return subprocess.run(
            self.command(*arguments, assembly=assembly),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def environment(self) -> dict[str, str]:
        return {**launch.cdk_environment(self.runtime), "NO_COLOR": "1"}

    def try_to_deploy(self, **groups: Any) -> subprocess.CompletedProcess[str]:
        """Deploy, and return how it went."""
        assembly = self.synthesize(**groups)
        done = self.cdk("deploy", "--all", "--require-approval", "never", assembly=assembly)
        if done.returncode == 0:
            self._deployed = assembly
        return done

    def begin_with(self, **groups: Any) -> None:
        """Deploy, unless exactly this was the last deploy that succeeded: one that fails is rolled back."""
        if self._deployed != self.synthesize(**groups):
            self.deploy(**groups)

    def deploy(self, **groups: Any) -> str:
        """Deploy, and return what the CLI printed; fail the test when the deploy fails."""
        done = self.try_to_deploy(**groups)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def labels(self) -> list[str]:
        """Return what the API says of an attack and of a normal connection."""
        noise = random.Random(0)
        records = [connection(attack, noise) for attack in (True, False)]
        return [answer["label"] for answer in ask(self.deployment(), records)]

    def deployment(self) -> Deployment:
        """Return what the command line finds."""
        return Deployment(ENV, self.settings(), self.runtime)

    def training_jobs(self) -> list[str]:
        """Return the names of all training jobs there were."""
        jobs = self.runtime.client("sagemaker").list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
        return [job["TrainingJobName"] for job in jobs]

    def outputs(self, thing: str) -> dict[str, str]:
        """Return the outputs of one of the environment's stacks."""
        return Deployment(ENV, self.settings(), self.runtime).outputs(thing)

    def executions(self) -> list[str]:
        """Return the names of all runs of the training workflow."""
        machine = self.outputs("training")["StateMachineArn"]
        found = self.runtime.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
        return [execution["name"] for execution in found]

    def parameter(self, path: str) -> str:
        """Return an SSM parameter of the environment."""
        found = self.runtime.client("ssm").get_parameter(Name=f"/kdd99/{ENV}/{path}")
        return str(found["Parameter"]["Value"])

    def processes(self) -> list[tuple[int, str]]:
        """Return process id and command line of every process of this sandbox."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    environment = (entry / "environ").read_bytes()
                except OSError:
                    continue
                marks = (str(self.runtime.directory), self.runtime.endpoint_url)  # an isolated job knows no endpoint
                if any(mark in command or mark.encode() in environment for mark in marks):
                    found.append((int(entry.name), command))
        return [process for process in found if process[0] != os.getpid()]
