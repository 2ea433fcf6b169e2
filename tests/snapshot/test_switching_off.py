"""What the settings switched on can be switched off in one deploy: no export goes while another stack reads it."""

from collections.abc import Callable, Iterator
from typing import Any

import aws_cdk as cdk
import pytest

from config.settings import Settings
from stacks.stage import add_stacks
from tests.feature_flags import UNVALIDATED

Templates = dict[str, dict[str, Any]]
DATASET = {"train": "s3://records/train.gz", "test": "s3://records/test.gz"}
TRAINED: dict[str, Any] = {"project": {"name": "kdd99"}, "dataset": DATASET}
PRETRAINED: dict[str, Any] = {
    "project": {"name": "kdd99"},
    "model": {"path": "s3://models/model.tar.gz", "framework": "linear-learner"},
}
EVERYTHING: dict[str, Any] = TRAINED | {
    "endpoint": {
        "data_capture": {"sampling_percentage": 20},
        "sleep": {"sleep_at": "cron(0 20 ? * * *)", "wake_at": "cron(0 7 ? * * *)"},
    },
    "monitoring": {"drift": {}, "budget": {"monthly_usd": 5}},
    "network": {},
    "notebook": {},
    "training": {"retraining": {"schedule": "rate(7 days)"}},
}


@pytest.fixture(scope="module")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], Templates]:
    folder = tmp_path_factory.mktemp("switching")

    def run(groups: dict[str, Any]) -> Templates:
        app = cdk.App(outdir=str(folder / "cdk.out"), context=UNVALIDATED)
        add_stacks(app, env="test", settings=Settings.model_validate(groups), root=folder)
        return {stack.stack_name: stack.template for stack in app.synth().stacks}

    return run


@pytest.fixture(scope="module")
def plain(synthesize: Callable[[dict[str, Any]], Templates]) -> Templates:
    return synthesize(TRAINED)


def exports(template: dict[str, Any]) -> set[str]:
    return {output["Export"]["Name"] for output in template.get("Outputs", {}).values() if "Export" in output}


def imports(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "Fn::ImportValue" in value:
            yield value["Fn::ImportValue"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from imports(each)


def refused(before: Templates, after: Templates) -> dict[str, list[str]]:
    """Return the exports that `after` drops while stacks still read them, and who reads them.

    A stack that `after` no longer names stays as it is, and a reader is updated after what it reads.
    """
    found = {}
    for stack in before.keys() & after.keys():
        for name in exports(before[stack]) - exports(after[stack]):
            found[name] = [reader for reader, template in before.items() if name in imports(template)]
    return {name: readers for name, readers in found.items() if readers}


def test_a_dropped_export_that_is_read_is_seen(plain: Templates) -> None:
    without = {stack: {**template, "Outputs": {}} for stack, template in plain.items()}
    assert any("monitoring" in stack for stacks in refused(plain, without).values() for stack in stacks)


def test_whatever_is_switched_on_is_switched_off_in_one_deploy(
    plain: Templates, synthesize: Callable[[dict[str, Any]], Templates]
) -> None:
    everything = synthesize(EVERYTHING)
    assert all(everything[stack] != plain[stack] for stack in plain)
    assert refused(everything, plain) == {}


def test_training_and_a_model_from_elsewhere_take_turns_in_one_deploy(
    plain: Templates, synthesize: Callable[[dict[str, Any]], Templates]
) -> None:
    elsewhere = synthesize(PRETRAINED)
    assert refused(plain, elsewhere) == refused(elsewhere, plain) == {}
