"""Composition root: the only reader of context and environment.

``cdk deploy --all -c env=prod`` reads config/prod.toml; without ``-c env`` it is dev.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from config.loading import DIRECTORY, SettingsError, load
from stacks.stage import add_stacks


def main() -> None:
    """Synthesize the stacks of one environment."""
    app = cdk.App()
    # a finding without a reason beside its construct ends the synthesis (stacks/constructs/acknowledgements.py)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    env = app.node.try_get_context("env") or "dev"
    directory = Path(os.environ.get("SAGESCALE_CONFIG_DIR", DIRECTORY))
    try:
        settings = load(env, directory)
        add_stacks(app, env=env, settings=settings, root=Path(__file__).parent)
    except (SettingsError, ValueError, FileNotFoundError) as error:
        sys.exit(f"{directory / env}.toml cannot be deployed: {error}")
    app.synth()


main()
