"""A running sandbox and the real CDK CLI."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import launch
from sandbox.processes import REPOSITORY_ROOT
from sandbox.runtime import Runtime

Cdk = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """One bootstrapped sandbox for each file, as some tests count what is there; gone however the test run ends."""
    directory = tmp_path_factory.mktemp("sandbox")
    runtime = launch.start(directory, owner_pid=os.getpid())
    launch.bootstrap(runtime)
    yield runtime
    launch.stop(directory)


@pytest.fixture(scope="module")
def cdk(live: Runtime) -> Cdk:
    """Run the CLI on a synthesized assembly; its output, error output included, is in ``stdout``."""

    def run(command: str, assembly: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = str(REPOSITORY_ROOT / "node_modules" / ".bin" / "cdk")
        return subprocess.run(
            [program, command, "--app", str(assembly), "--no-color", *arguments],
            cwd=live.directory,
            env=launch.cdk_environment(live),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )

    return run
