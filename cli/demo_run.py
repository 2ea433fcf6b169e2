"""What `sagescale demo` does, step by step: each returns facts, and none prints."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cli.deployment import Deployment
from cli.live_article import run_article
from cli.predict import ask
from cli.records import NoRecordsError
from cli.synthesis import CDK
from loadtest.closed_loop_client import Burst, drive
from sandbox import launch
from sandbox.live import ScalingError
from sandbox.processes import REPOSITORY_ROOT
from training import schema

DEPLOYED = re.compile(r"^ *✅ +(\S+)")
SECONDS = re.compile(r"Deployment time: ([\d.]+)s")
BURST_ROWS = 200
SHOWN_LABELS = ("normal.", "smurf.", "neptune.", "satan.", "snmpgetattack.")  # the last one looks normal to most models


class DemoError(Exception):
    """A step failed; the message says which and why."""


@dataclass(frozen=True)
class Connection:
    """One record of the test file, with what it really is."""

    record: dict[str, Any]
    label: str


def deploy(deployment: Deployment, assembly: Path, on_line: Callable[[str], None]) -> dict[str, float]:
    """Deploy all stacks with the CDK CLI; return the seconds each took.

    Raises
    ------
    DemoError
        The CLI failed; the message holds its last lines.
    """
    if deployment.runtime is None:
        raise DemoError("the demo deploys into the sandbox only")
    process = subprocess.Popen(
        [CDK, "deploy", "--all", "--app", str(assembly), "--require-approval", "never", "--progress", "events"],
        cwd=REPOSITORY_ROOT,
        env=launch.cdk_environment(deployment.runtime),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    stacks: dict[str, float] = {}
    lines: list[str] = []
    name = ""
    for line in process.stdout or ():
        lines.append(line.rstrip())
        on_line(lines[-1])
        if found := DEPLOYED.match(line):
            name = found[1]
        elif found := SECONDS.search(line):
            stacks[name] = float(found[1])
    if process.wait():
        raise DemoError("cdk deploy failed:\n" + "\n".join(lines[-30:]))
    return stacks


def training_facts(deployment: Deployment) -> dict[str, Any]:
    """Return rows, training seconds and the evaluation of the model that is served."""
    prefix = f"{deployment.settings.project.name}-{deployment.env}"
    parameter = f"/{deployment.settings.project.name}/{deployment.env}/model/served"
    served = deployment.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
    bucket, _, model = served.removeprefix("s3://").partition("/")
    key = model.split("/")[1]
    s3 = deployment.client("s3")
    runs = s3.list_objects_v2(Bucket=bucket, Prefix=f"runs/{key}/")["Contents"]
    summary = next(item["Key"] for item in runs if item["Key"].endswith("/summary/summary.json"))
    channels = _read_json(s3, bucket, summary)["channels"]
    sagemaker = deployment.client("sagemaker")
    jobs = sagemaker.list_training_jobs(NameContains=prefix, StatusEquals="Completed")["TrainingJobSummaries"]
    job = sagemaker.describe_training_job(TrainingJobName=jobs[0]["TrainingJobName"])
    evaluation = _read_json(s3, bucket, f"models/{key}/evaluation.json")
    return {
        "rows_train": channels["train"]["rows"] + channels["validation"]["rows"],
        "rows_test": channels["test"]["rows"],
        "train_seconds": round((job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds(), 1),
        **{metric: evaluation[metric] for metric in ("accuracy", "f1", "roc_auc", "false_alarm_rate")},
    }


def _read_json(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    content: dict[str, Any] = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
    return content


def labelled_connections(path: Path) -> list[Connection]:
    """Return the last connection of each label that is shown; the file's first ones stand in for labels it lacks.

    The last, because an attack's first connections look like any other: what gives it away is how many there were.
    """
    lines = list(islice(_lines(path), len(SHOWN_LABELS)))
    found = {line[line.rindex(",") + 1 :]: line for line in _lines(path)}
    shown = [found[label] for label in SHOWN_LABELS if label in found]
    return [_connection(line) for line in (shown + lines)[: len(SHOWN_LABELS)]]


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="ascii") as lines:
        yield from (line.strip() for line in lines)


def _connection(line: str) -> Connection:
    *values, label = line.split(",")
    record = {
        feature.name: value if feature.vocabulary else float(value)
        for feature, value in zip(schema.FEATURES, values, strict=True)
    }
    return Connection(record, label)


def predictions(deployment: Deployment, connections: list[Connection]) -> list[dict[str, Any]]:
    """Return what the API says of each connection, beside its true label."""
    answers = ask(deployment, [connection.record for connection in connections])
    return [{"actual": c.label, **answer} for c, answer in zip(connections, answers, strict=True)]


def article(deployment: Deployment, folder: Path, show: Callable[[str], None]) -> dict[str, Any]:
    """Run the article's 15,000 test compressed, and write its report; return its facts.

    Raises
    ------
    DemoError
        Requests failed, the run could not be made, or its decisions are not the simulator's.
    """
    try:
        (facts,) = run_article(deployment, folder, names=("threshold_15k",), time_scale=60.0, on_progress=show)
    except (ScalingError, NoRecordsError) as error:
        raise DemoError(f"the article's load test could not be run: {error}") from error
    if facts["failed"] or facts["disagreements"]:
        raise DemoError(f"{facts['failed']} requests failed; decisions not the simulator's: {facts['disagreements']}")
    return facts


def burst(deployment: Deployment, path: Path, seconds: float = 3.0) -> Burst:
    """Send encoded connections straight to the endpoint's API method for a few seconds."""
    rows = [schema.encode(_connection(line).record) for line in islice(_lines(path), BURST_ROWS)]
    bodies = [",".join(map(str, row)).encode() for row in rows]
    return drive(deployment.api_url("/invocations"), bodies, content_type="text/csv", seconds=seconds)
