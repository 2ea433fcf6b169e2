"""The proof in a real account: `make test-aws ENV=dev`. It costs money: the ceiling is printed first."""

import os
import sys
from pathlib import Path

import pytest

from cli.deployment import Deployment
from tests.e2e.ceiling import Ceiling
from tests.e2e.proof import prove
from tests.e2e.trial import Trial


@pytest.mark.aws
def test_environment_passes_its_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = os.environ["SAGESCALE_ENV"]
    deployment = Deployment.find(env)
    monkeypatch.setenv("SAGESCALE_CONFIG_DIR", str(tmp_path))  # from here on, for every process that is started too
    trial = Trial(env, deployment.settings, tmp_path, deployment.runtime)
    prove(trial, Ceiling.of_environment(dict(os.environ)), lambda line: print(line, file=sys.__stderr__, flush=True))
