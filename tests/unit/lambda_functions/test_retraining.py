import importlib
import json
from types import SimpleNamespace
from typing import Any

import pytest

retraining: Any = importlib.import_module("lambda.retraining.handler")
RUN = {"key": "0" * 16, "dataset_hash": "d", "train_uri": "s3://records/train/"}


class Clients:
    """The AWS clients the function asks for, with what they were told."""

    def __init__(self, *, running: bool = False, scheduled: bool = False, tags: tuple[str, ...] = ()) -> None:
        self.running, self.scheduled, self.tags = running, scheduled, tags
        self.started: list[dict[str, Any]] = []
        self.schedules: list[tuple[str, str]] = []
        self.exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

    def __call__(self, service: str) -> "Clients":
        return self

    def list_executions(self, **_: Any) -> dict[str, Any]:
        return {"executions": [{"name": "other"}] if self.running else []}

    def get_parameter(self, **_: Any) -> dict[str, Any]:
        return {"Parameter": {"Value": json.dumps(RUN)}}

    def start_execution(self, **request: Any) -> None:
        self.started.append(json.loads(request["input"]))

    def update_schedule(self, **request: Any) -> None:
        if not self.scheduled:
            raise KeyError
        self.schedules.append(("update", request["Target"]["Arn"]))

    def create_schedule(self, **request: Any) -> None:
        self.schedules.append(("create", request["Target"]["Arn"]))

    def get_paginator(self, _: str) -> Any:
        page = {"Contents": [{"Key": f"train/{number}", "ETag": tag} for number, tag in enumerate(self.tags)]}
        return SimpleNamespace(paginate=lambda **_: [page])


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in {
        "STATE_MACHINE_ARN": "machine",
        "RUN_PARAMETER": "/run",
        "SCHEDULE_NAME": "again",
        "SCHEDULE_ROLE_ARN": "role",
        "DEBOUNCE_SECONDS": "60",
        "TRAIN_URI": "s3://records/train/",
    }.items():
        monkeypatch.setenv(name, value)

    def call(clients: Clients, event: dict[str, Any]) -> Clients:
        monkeypatch.setattr(retraining, "boto3", SimpleNamespace(client=clients))
        retraining.handler(event, SimpleNamespace(invoked_function_arn="me"))
        return clients

    return call


@pytest.mark.parametrize(("scheduled", "call"), [(False, "create"), (True, "update")])
def test_upload_sets_the_one_schedule_and_starts_nothing(scheduled: bool, call: str, invoke: Any) -> None:
    clients = invoke(Clients(scheduled=scheduled), {"source": "aws.s3"})
    assert (clients.schedules, clients.started) == ([(call, "me")], [])


def test_retraining_waits_while_a_run_is_under_way(invoke: Any) -> None:
    clients = invoke(Clients(running=True), {})
    assert (clients.schedules, clients.started) == ([("create", "me")], [])


def test_new_objects_make_a_new_key_and_the_same_objects_the_same(invoke: Any) -> None:
    runs = [invoke(Clients(tags=tags), {}).started[0]["run"] for tags in (("a",), ("a",), ("a", "b"))]
    assert runs[0] == runs[1]
    assert len({run["key"] for run in runs}) == 2
    assert all(run["train_uri"] == RUN["train_uri"] and len(run["key"]) == 16 for run in runs)


def test_local_file_is_retrained_as_it_was_deployed(invoke: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAIN_URI")
    assert invoke(Clients(), {}).started == [{"mode": "retrain", "run": RUN}]
