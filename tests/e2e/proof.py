"""What an environment must go through: the same steps in AWS and in the sandbox."""

from __future__ import annotations

from collections.abc import Callable

from cli.destroy import survey
from tests.e2e.ceiling import Ceiling, enforced
from tests.e2e.trial import Trial

LABELS = {"attack", "normal"}


def prove(trial: Trial, ceiling: Ceiling, say: Callable[[str], None]) -> None:
    """Deploy, predict, scale once, update under load, change the instance type under load, destroy."""
    say(f"{trial.settings.project.name}-{trial.env}: {ceiling.check(trial.settings)}")
    assert survey(trial.deployment) == [], "an earlier test left this: sagescale destroy"
    with enforced(ceiling, trial.deployment):
        try:
            _go_through(trial, say)
        finally:
            say("destroying")
            trial.destroy()
    say("nothing is left")


def _go_through(trial: Trial, say: Callable[[str], None]) -> None:
    say("deploying")
    trial.deploy()
    assert trial.label() in LABELS
    first_model, first_endpoint = trial.served(), trial.endpoint()

    trial.compress_time()
    with trial.load() as failures:
        say("scaling out under load")
        trial.wait_for(lambda: trial.instances() == 2, "two instances are in service")
        say("updating the model under load")
        trial.configure(epochs=3)
        trial.deploy()
        assert trial.served() != first_model
        assert trial.endpoint() == first_endpoint
        assert trial.instances() == 2, "the update has reset what scaling had reached"
        say("changing the instance type under load")
        trial.configure(epochs=3, other_type=True)
        trial.deploy()
        assert trial.endpoint() != first_endpoint
        assert trial.instances() == 2, "the new endpoint is smaller than the old one was"
    assert failures == []
    assert trial.label() in LABELS
