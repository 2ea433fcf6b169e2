"""A workstation for each file of tests that deploy the whole environment."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sandbox import launch
from tests.integration.workstation import Workstation


@pytest.fixture(scope="module")
def workstation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workstation]:
    """A bootstrapped sandbox of its own, and a folder to deploy from; gone however the test run ends."""
    folder = tmp_path_factory.mktemp("workstation")
    runtime = launch.start(folder / "sandbox", owner_pid=os.getpid())
    launch.bootstrap(runtime)
    yield Workstation(folder, runtime)
    launch.stop(folder / "sandbox")
