"""Composition root: the only reader of context and environment.

``cdk deploy --all -c env=prod`` reads config/prod.toml; without ``-c env`` it is dev.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

gc.disable()  # what the CDK loads and makes stays to the end: looking for garbage in it is a tenth of a synth

import aws_cdk as cdk  # noqa: E402

from config.loading import DIRECTORY, SettingsError, load  # noqa: E402
from config.settings import Settings  # noqa: E402
from stacks.stage import add_stacks  # noqa: E402

ROOT = Path(__file__).parent


def main() -> None:
    """Synthesize the stacks of one environment."""
    app = cdk.App()
    if os.environ.get("CDK_VALIDATION") != "false":  # the CDK's own switch: without it no plugin is asked anyway
        add_checks(app)
    env = app.node.try_get_context("env") or "dev"
    directory = Path(os.environ.get("SAGESCALE_CONFIG_DIR", DIRECTORY))
    try:
        settings = load(env, directory)
        check_docker(settings)
        if app.node.try_get_context("pipeline"):
            add_pipeline(app, env=env, settings=settings, directory=directory)
        else:
            add_stacks(app, env=env, settings=settings, root=ROOT)
    except (SettingsError, ValueError, FileNotFoundError) as error:
        sys.exit(f"{env} cannot be deployed: {error}")
    app.synth()


def add_checks(app: cdk.App) -> None:
    """Have cdk-nag check every template: a finding without a reason beside its construct ends the synthesis."""
    from cdk_nag import AwsSolutionsChecks  # noqa: PLC0415 - most synths in the inner loop do without it

    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def add_pipeline(app: cdk.App, *, env: str, settings: Settings, directory: Path) -> None:
    """Add the pipeline that leads to `env` through the environments its settings name.

    Raises
    ------
    SettingsError
        The settings of `env` describe no pipeline, or another environment's file cannot be used.
    """
    if settings.pipeline is None:
        raise SettingsError("-c pipeline needs a table [pipeline]: repository and connection_arn at least")
    from stacks.pipeline_stack import PipelineStack  # noqa: PLC0415 - its libraries take a while to load

    on_the_way = {name: load(name, directory) for name in settings.pipeline.before}
    PipelineStack(
        app,
        f"{settings.project.name}-pipeline",
        env_name=env,
        settings={**on_the_way, env: settings},
        root=ROOT,
        env=cdk.Environment(account=settings.project.account, region=settings.project.region),
    )


def check_docker(settings: Settings) -> None:
    """Refuse settings whose deploy would build an image where there is nothing to build it with.

    Raises
    ------
    SettingsError
        No Docker, or none that runs.
    """
    if not settings.needs_own_container:
        return
    program = os.environ.get("CDK_DOCKER", "docker")  # the CDK CLI's own variable
    try:
        done = subprocess.run([program, "version"], capture_output=True, text=True, timeout=20, check=False)
        problem = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if problem:
        raise SettingsError(
            f"these settings serve with serving/Dockerfile, and `{program} version` fails: {problem}. Start or install "
            'Docker, name another program in CDK_DOCKER, or use endpoint.container = "aws" where the model allows it'
        )


main()
