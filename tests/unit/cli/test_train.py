"""Waiting for a run: what the user is told who does not."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from cli import train
from cli.deployment import Deployment


class States:
    """A state machine whose run goes on for as long as somebody waits."""

    def list_executions(self, **_: Any) -> Any:
        return {"executions": []}

    def start_execution(self, **_: Any) -> Any:
        return {"executionArn": "arn:aws:states:us-east-1:123456789012:execution:machine:one"}

    def describe_execution(self, **_: Any) -> Any:
        raise KeyboardInterrupt


def test_user_who_interrupts_is_told_that_the_run_goes_on() -> None:
    fake = SimpleNamespace(client=lambda _: States(), outputs=lambda _: {"StateMachineArn": "machine"})
    with pytest.raises(train.RunFailedError, match="run one goes on"):
        train.execute(cast("Deployment", fake), "retrain", {})
