"""One update of an endpoint: from its old instances to new ones, step by step, and back when a step goes wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sandbox.sagemaker.baking import Oven
from sandbox.sagemaker.endpoint import Endpoint
from sandbox.sagemaker.fleet import LaunchError
from sandbox.sagemaker.fleets import Fleets
from sandbox.sagemaker.update_policy import UpdatePolicy


class Update:
    """Moves an endpoint to its `next_config`.

    Parameters
    ----------
    endpoint : Endpoint
        With `next_variants` as they are wanted, without instances.
    policy : UpdatePolicy
        In which steps.
    fleets : Fleets
        Starts and ends instances.
    oven : Oven
        Waits between the steps.
    """

    def __init__(self, endpoint: Endpoint, policy: UpdatePolicy, fleets: Fleets, oven: Oven) -> None:
        self._endpoint = endpoint
        self._policy = policy
        self._fleets = fleets
        self._oven = oven
        self._spent_seconds = 0.0
        self._counts_before = {variant.name: len(variant.servers) for variant in endpoint.variants}

    def carry_out(self) -> None:
        """Start the new instances and give them the traffic; when this returns, the old ones get none.

        Raises
        ------
        LaunchError, AlarmError, GoingDownError
            The update failed; `take_back` ends it.
        """
        if self._policy.kind == "ROLLING":
            self._roll()
        else:
            self._shift()

    def take_back(self) -> None:
        """Give all traffic back to the old instances, those that are gone started anew; raises LaunchError."""
        for variant in self._endpoint.variants:
            fleet = self._counts_before[variant.name]
            kept = len(variant.servers)
            for back in self._policy.rollback_steps(fleet - kept, fleet):
                fresh = self._fleets.launch(self._endpoint, variant, kept + back - len(variant.servers))
                variant.servers = [*variant.servers, *fresh]
                self._route({new.name: max(0, len(new.servers) - back) for new in self._endpoint.next_variants})
        self._fleets.route(self._endpoint, self._endpoint.variants)
        self._fleets.retire_all(self._endpoint, self._endpoint.next_variants)

    def _shift(self) -> None:
        """Blue/green: the whole new fleet first, then the traffic."""
        wanted = {variant.name: variant.desired_count for variant in self._endpoint.next_variants}
        self._launch(wanted)
        if not self._policy.guarded:
            self._fleets.route(self._endpoint, self._endpoint.next_variants)
            return
        steps = {name: self._policy.steps(count) for name, count in wanted.items()}
        for number in range(max(map(len, steps.values()))):
            self._route({name: counts[min(number, len(counts) - 1)] for name, counts in steps.items()})
            self._bake(self._policy.wait_seconds)
        self._fleets.route(self._endpoint, self._endpoint.next_variants)

    def _roll(self) -> None:
        """Batch by batch: new instances come, are watched, and as many old ones go."""
        (old,), (new,) = self._endpoint.variants, self._endpoint.next_variants
        for count in self._policy.steps(new.desired_count):
            self._launch({new.name: count})
            staying = old.servers[: max(0, self._counts_before[old.name] - count)]
            if count == new.desired_count:
                staying = []
            leaving, old.servers = old.servers[len(staying) :], staying
            try:
                self._route({new.name: count})
                self._bake(self._policy.wait_seconds)
            except BaseException:
                old.servers = [*staying, *leaving]  # they have not ended yet
                raise
            self._fleets.retire(self._endpoint, old, leaving)
        self._fleets.route(self._endpoint, self._endpoint.next_variants)

    def wait_for_termination(self) -> None:
        """Keep the old instances for the time the policy says; raises GoingDownError."""
        self._oven.bake(self._policy.termination_seconds, None, (), self._fleets.closing)

    def _launch(self, counts: Mapping[str, int]) -> None:
        begun = time.monotonic()
        for variant in self._endpoint.next_variants:
            missing = counts[variant.name] - len(variant.servers)
            variant.servers = [*variant.servers, *self._fleets.launch(self._endpoint, variant, missing)]
        self._spend(time.monotonic() - begun)

    def _route(self, counts: Mapping[str, int]) -> None:
        self._fleets.route_both(self._endpoint, counts)

    def _bake(self, seconds: float) -> None:
        cloudwatch = self._fleets.client("cloudwatch", self._endpoint.next_variants[0])
        self._oven.bake(seconds, cloudwatch, self._policy.alarms, self._fleets.closing)
        self._spend(seconds)

    def _spend(self, seconds: float) -> None:
        """Count waits in the sandbox's time and starts in the machine's, as long as they take."""
        self._spent_seconds += seconds
        if self._spent_seconds > self._policy.timeout_seconds:
            raise LaunchError(
                f"The update took more than its maximum execution timeout of {self._policy.timeout_seconds:g} s"
            )
