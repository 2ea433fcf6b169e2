"""What the end-to-end test may take and cost: said first, and kept by a process that outlives the test.

    PYTHONPATH=. python tests/e2e/ceiling.py --pid <test> --seconds 7200 --env dev

waits for the test to end. When time is up first, or the test dies without having destroyed what it deployed, it
destroys the environment itself.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autoscaling.prices import price_of
from cli.deployment import Deployment
from cli.destroy import remove, survey
from cli.fleet import wanted_instances
from cli.synthesis import synthesize
from config.settings import Settings
from sandbox import launch
from sandbox.processes import REPOSITORY_ROOT

WATCHING = "watching\n"
RUNS = 2  # the first model, and the one of the update
REQUESTS_USD = 1.0  # of the API, functions, logs and traces at the test's rate: cents


@dataclass(frozen=True)
class Ceiling:
    """Bounds of one end-to-end test.

    Parameters
    ----------
    seconds : float
        From the first deploy to the last resource's end.
    usd : float
        Bound that the estimate must keep.
    """

    seconds: float
    usd: float

    @classmethod
    def of_environment(cls, variables: dict[str, str]) -> Ceiling:
        """Read SAGESCALE_E2E_MAX_MINUTES and SAGESCALE_E2E_MAX_USD."""
        minutes = float(variables.get("SAGESCALE_E2E_MAX_MINUTES", "120"))
        return cls(60 * minutes, float(variables.get("SAGESCALE_E2E_MAX_USD", "10")))

    def check(self, settings: Settings) -> str:
        """Return what the test may take and cost; fail where that is above the bound."""
        usd = most_usd(settings, self.seconds)
        said = f"at most {self.seconds / 60:.0f} minutes and {usd:.2f} USD (of {self.usd:g} allowed)"
        assert usd <= self.usd, f"{said}: raise SAGESCALE_E2E_MAX_USD, or lower SAGESCALE_E2E_MAX_MINUTES"
        return said


def most_usd(settings: Settings, seconds: float) -> float:
    """Return what the largest fleet of an update costs all the time, and jobs that take as long as they may."""
    region = settings.project.region or "us-east-1"
    training = settings.training
    wanted = wanted_instances(settings)
    fleet = Counter({name: count for name, count in wanted.items() if name.endswith("endpoint usage")})
    hours = dict.fromkeys(fleet, seconds / 3600)
    job_seconds = max(training.max_runtime_seconds, training.preprocess.max_runtime_seconds)
    hours |= {name: RUNS * 2 * job_seconds / 3600 for name in wanted if name not in fleet}
    return REQUESTS_USD + sum(
        count * hours[name] * price_of(name.partition(" ")[0], region).usd_per_hour for name, count in wanted.items()
    )


@contextmanager
def enforced(ceiling: Ceiling, deployment: Deployment) -> Iterator[None]:
    """Have the environment destroyed when time is up, or when this process dies."""
    with start_watchdog(os.getpid(), ceiling.seconds, deployment) as watchdog:
        try:
            yield
        finally:
            watchdog.send_signal(signal.SIGTERM)  # everything is destroyed by now, or fails loudly in the test


def start_watchdog(pid: int, seconds: float, deployment: Deployment) -> subprocess.Popen[str]:
    """Start the process that watches `pid`, and return once it does."""
    # by path: with -m a library that brings a package called tests along would hide this one
    command = [sys.executable, str(Path(__file__)), "--pid", str(pid), "--seconds", str(seconds)]
    command += ["--env", deployment.env]
    if deployment.runtime:
        command += ["--sandbox", str(deployment.runtime.directory)]
    watchdog = subprocess.Popen(
        command,
        cwd=REPOSITORY_ROOT,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert watchdog.stdout
    assert watchdog.stdout.readline() == WATCHING, "the watchdog does not watch, so nothing may be deployed"
    return watchdog


def _watch(pid: int, seconds: float) -> None:
    """Return when the test is over time or dead; being told to end means that it cleaned up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    sys.stdout.write(WATCHING)
    sys.stdout.flush()
    ended, _, _ = select.select([process], [], [], seconds)
    if not ended:
        os.kill(pid, signal.SIGINT)  # pytest ends its run and its deploy


def main() -> None:
    """Watch, then destroy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--env", required=True)
    parser.add_argument("--sandbox", type=Path, default=launch.DIRECTORY)
    options = parser.parse_args()
    _watch(options.pid, options.seconds)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    deployment = Deployment.find(options.env, options.sandbox)
    sys.stderr.write(f"the end-to-end test is over time, or died: destroying {options.env}\n")
    if survey(deployment):
        with tempfile.TemporaryDirectory() as scratch:
            remove(deployment, synthesize(options.env, Path(scratch)), _say)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
