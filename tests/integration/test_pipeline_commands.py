"""The commands of the pipeline's builds, run here as CodeBuild would, but for those that `NOT_RUN` names."""

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from config.loading import load
from config.settings import Settings
from sandbox import launch
from stacks.pipeline_stack import PipelineStack
from tests.e2e.trial import as_toml
from tests.feature_flags import UNVALIDATED
from tests.integration.workstation import Workstation

ROOT = Path(__file__).parents[2]
CONNECTION = "arn:aws:codeconnections:eu-west-1:123456789012:connection/0a1b2c3d"
NOT_RUN = {  # how a command begins: why it is not run here
    "make test": "these tests are part of it; make only says what it would do",
    "pyenv ": "chooses a Python of CodeBuild's image",
    "npm install -g ": "CDK Pipelines' own: brings its tools into the image",
    "cdk -a . deploy ": "CDK Pipelines' own: the pipeline changes itself, and no CodePipeline is emulated",
    "cdk-assets ": "CDK Pipelines' own: publishes to other accounts' bootstrap buckets",
}
PIPELINE = {"repository": "example/sagescale", "connection_arn": CONNECTION, "smoke_users": 4, "smoke_seconds": 5}


def settings(env: str, **groups: Any) -> dict[str, Any]:
    given = load(env).model_dump(mode="json", exclude_unset=True)
    project = {**given["project"], "account": "123456789012", "region": "eu-west-1"}
    return {**given, "project": project, **groups}


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The commands of every CodeBuild project of the pipeline's template, in its order."""
    folder = tmp_path_factory.mktemp("pipeline")
    app = cdk.App(outdir=str(folder), context=UNVALIDATED)
    environments = {
        "dev": Settings.model_validate(settings("dev")),
        "prod": Settings.model_validate(settings("prod", pipeline=PIPELINE)),
    }
    place = cdk.Environment(account="123456789012", region="eu-west-1")
    PipelineStack(app, "kdd99-pipeline", env_name="prod", settings=environments, root=ROOT, env=place)
    template = app.synth().get_stack_by_name("kdd99-pipeline").template
    projects = [each for each in template["Resources"].values() if each["Type"] == "AWS::CodeBuild::Project"]
    specs = [each["Properties"]["Source"]["BuildSpec"] for each in projects]
    phases = [json.loads(spec)["phases"] for spec in specs if isinstance(spec, str)]
    return [command for each in phases for phase in ("install", "build") for command in listed(each, phase)]


def listed(phases: dict[str, Any], name: str) -> list[str]:
    """Return the commands of a phase."""
    commands = phases.get(name, {}).get("commands", [])
    return [commands] if isinstance(commands, str) else list(commands)


def run_here(commands: list[str]) -> list[str]:
    """Return the commands that are run here, each once."""
    return [each for each in dict.fromkeys(commands) if not each.startswith(tuple(NOT_RUN))]


def run(command: str, cwd: Path, **environment: str) -> None:
    done = subprocess.run(
        shlex.split(command),
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.verify
def test_commands_are_run_here_or_named_with_a_reason(commands: list[str]) -> None:
    smoke = "--users 4 --seconds 5 --p95-ms 1000"
    assert run_here(commands) == [
        "make data",
        "make synth ENV=prod PIPELINE=yes",
        "make install",
        f".venv/bin/sagescale smoke --env dev {smoke}",
        f".venv/bin/sagescale smoke --env prod {smoke}",
    ]
    assert [start for start in NOT_RUN if not any(each.startswith(start) for each in commands)] == []


@pytest.mark.verify
def test_build_commands_make_the_data_and_the_pipelines_templates(commands: list[str], tmp_path: Path) -> None:
    for env, groups in {"dev": {}, "prod": {"pipeline": PIPELINE}}.items():
        values = settings(env, **groups)
        text = "\n".join(f"{key} = {as_toml(value)}" for key, value in values.items())
        (tmp_path / f"{env}.toml").write_text(text, encoding="utf-8")
    run("make test --dry-run", ROOT)
    for command in run_here(commands):
        if command.startswith("make "):
            run(command, ROOT, SAGESCALE_CONFIG_DIR=str(tmp_path))
    written = json.loads((ROOT / "cdk.out" / "manifest.json").read_text())["artifacts"]
    assert {"kdd99-pipeline", "assembly-kdd99-pipeline-dev", "assembly-kdd99-pipeline-prod"} <= written.keys()


@pytest.mark.verify
def test_smoke_commands_judge_a_deployment(commands: list[str], tmp_path: Path) -> None:
    runtime = launch.start(tmp_path / launch.DIRECTORY, owner_pid=os.getpid())
    try:
        launch.bootstrap(runtime)
        Workstation(tmp_path, runtime).deploy()
        for command in [each for each in run_here(commands) if "sagescale smoke" in each]:
            here = command.replace(".venv/bin/", f"{ROOT}/.venv/bin/")
            run(here.replace("--env dev", "--env sandbox").replace("--env prod", "--env sandbox"), tmp_path)
    finally:
        launch.stop(tmp_path / launch.DIRECTORY)
