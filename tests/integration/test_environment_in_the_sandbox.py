"""The end-to-end test's own steps and watchdog, in the sandbox: what `make test-aws` will do in an account."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.destroy import survey
from config.loading import load
from config.settings import Settings
from sandbox import launch
from sandbox.runtime import Runtime
from tests.e2e.ceiling import Ceiling, most_usd, start_watchdog
from tests.e2e.proof import prove
from tests.e2e.trial import Trial, as_toml
from tests.integration.workstation import write_dataset


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    runtime = launch.start(tmp_path / "sandbox", owner_pid=os.getpid())
    launch.bootstrap(runtime)
    yield runtime
    launch.stop(tmp_path / "sandbox")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The sandbox's settings, on fewer records."""
    records = {
        "train": str(write_dataset(tmp_path / "train.gz", 4_000)),
        "test": str(write_dataset(tmp_path / "test.gz", 1_000)),
    }
    given = load("sandbox").model_dump(mode="json", exclude_unset=True)
    return Settings.model_validate({**given, "dataset": records})


@pytest.fixture
def trial(tmp_path: Path, settings: Settings, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Trial:
    (tmp_path / "config").mkdir()
    monkeypatch.setenv("SAGESCALE_CONFIG_DIR", str(tmp_path / "config"))
    return Trial("sandbox", settings, tmp_path / "config", runtime)


@pytest.mark.verify
def test_the_steps_of_make_test_aws_pass_in_the_sandbox(trial: Trial) -> None:
    said: list[str] = []
    prove(trial, Ceiling(seconds=1800, usd=10), said.append)
    assert said[0].startswith("kdd99-e2e-sandbox: at most 30 minutes and ")
    assert said[-1] == "nothing is left"


@pytest.mark.verify
@pytest.mark.parametrize("ending", ["time is up", "the test dies"])
def test_watchdog_destroys_when_the_test_does_not(trial: Trial, ending: str) -> None:
    trial.deploy()
    assert survey(trial.deployment)
    sleeper = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"
    test = subprocess.Popen([sys.executable, "-c", sleeper])
    try:
        watchdog = start_watchdog(test.pid, 1 if ending == "time is up" else 600, trial.deployment)
        if ending == "the test dies":
            test.send_signal(signal.SIGKILL)
            test.wait()
        assert watchdog.wait(300) == 0
        watchdog.communicate()
    finally:
        test.kill()
        test.wait()
    assert survey(trial.deployment) == []


def test_ceiling_counts_the_largest_fleet_and_refuses_what_is_above_it(settings: Settings) -> None:
    hour = most_usd(settings, 3600) - most_usd(settings, 0)
    assert hour == pytest.approx(2 * 10 * 0.28)  # twice the fleet of ten ml.m4.xlarge
    with pytest.raises(AssertionError, match="raise SAGESCALE_E2E_MAX_USD"):
        Ceiling(seconds=3600, usd=1).check(settings)


def test_settings_survive_being_written(settings: Settings, tmp_path: Path) -> None:
    values = settings.model_dump(mode="json", exclude_unset=True)
    (tmp_path / "sandbox.toml").write_text("\n".join(f"{key} = {as_toml(value)}" for key, value in values.items()))
    assert load("sandbox", tmp_path) == settings
