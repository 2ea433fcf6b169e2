"""A running sandbox, into which nothing was bootstrapped."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sandbox import launch
from sandbox.runtime import Runtime
from tests.integration.sandbox.provisioners.stacks import Stacks


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """One for all these tests: each removes its stacks."""
    directory = tmp_path_factory.mktemp("sandbox")
    yield launch.start(directory, owner_pid=os.getpid())
    launch.stop(directory)


@pytest.fixture
def stacks(live: Runtime) -> Stacks:
    return Stacks(live)
