"""The room's one thread: looks at every endpoint once an interval, publishes what it saw, and lets the driver scale.

Policies, alarms and activities go through the API, as with any client; only the pids and the counts of the model
servers come from the rooms next door.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
import urllib.request
from collections.abc import Mapping
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError
from moto.sagemaker.models import sagemaker_backends

from sandbox.clock import SandboxClock
from sandbox.runtime import ACCOUNT_ID, Runtime
from sandbox.sagemaker.deployment import Deployer
from sandbox.sagemaker.models import SageMakerBackend
from sandbox.scaler.activities import Activities
from sandbox.scaler.alarm_states import AlarmStates
from sandbox.scaler.conditions import Conditions
from sandbox.scaler.counters import Counts, VariantKey, counts_between
from sandbox.scaler.deployed import ScalableVariant, read_targets
from sandbox.scaler.driver import Driver
from sandbox.scaler.follower import Follower
from sandbox.scaler.new_fleets import NewFleets
from sandbox.scaler.recording import Recording
from sandbox.scaler.watched import Watched

MINUTE_SECONDS = 60.0
SHORTEST_SECONDS = 10.0  # interval of SageMaker's high-resolution metric; the data plane's bins are as long
_log = logging.getLogger(__name__)


class Room:
    """Live scaling of the sandbox's endpoints."""

    def __init__(self, runtime: Runtime) -> None:
        self.activities = Activities()
        self._runtime = runtime
        self._driver = Driver(runtime, self.activities)
        self._new_fleets = NewFleets()
        self._alarms = AlarmStates(runtime)
        self._watched: dict[VariantKey, Watched] = {}
        self._refused: dict[str, str] = {}
        self._clock = SandboxClock()
        self._conditions = Conditions()
        self._looked = self._clock.now() // MINUTE_SECONDS * MINUTE_SECONDS
        self._anew = False  # whether the next look counts nothing: what happened before it belongs to another time
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="scaler", daemon=True)

    def start(self) -> None:
        """Start looking."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout=10.0)

    def set_conditions(self, conditions: Conditions) -> None:
        """Change the conditions; followers begin anew under them, at the next whole minute."""
        self._ask_dataplane("PUT", "pace", {"instance_max_rps": conditions.instance_max_rps})
        with self._changed:
            self._conditions = conditions
            self._clock.run_at(conditions.time_scale)
            self._ask_dataplane("PUT", "clock", self._clock.describe())
            Deployer.provisioning_seconds = conditions.provisioning_seconds / conditions.time_scale
            Deployer.oven.time_scale = conditions.time_scale
            self._looked, self._anew = self._clock.now(), True
            self._changed.notify()

    def describe(self) -> dict[str, Any]:
        """Return ``conditions``, ``now`` (sandbox time), ``recordings`` by resource id, and who is ``not_followed``."""
        with self._changed:
            return {
                "conditions": self._conditions.model_dump(),
                "now": self._clock.now(),
                "recordings": {
                    f"endpoint/{endpoint}/variant/{variant}": str(watched.recording.path)
                    for (endpoint, variant), watched in self._watched.items()
                    if watched.recording and not self._anew
                },
                "not_followed": self._refused,
            }

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closing and (wait := self._clock.wall_seconds_until(self._boundary())) > 0:
                    self._changed.wait(wait)
                if self._closing:
                    return
            try:
                self._look()
            except (OSError, ClientError, BotoCoreError) as error:  # the data plane or the front is gone: say so, go on
                _log.warning("no look at the endpoints: %s", error)
                time.sleep(1.0)
            except Exception:
                _log.exception("the scaler failed at one look and goes on")
                time.sleep(1.0)

    @property
    def _step(self) -> float:
        followers = [watched.follower for watched in self._watched.values() if watched.follower]
        short = any(follower.tick_seconds < MINUTE_SECONDS for follower in followers)
        return SHORTEST_SECONDS if short and not self._anew else MINUTE_SECONDS

    def _boundary(self) -> float:
        """Return the end of the interval under way."""
        return (math.floor(self._looked / self._step) + 1) * self._step

    def _look(self) -> None:
        """Take a look at the end of one interval, or of several if the machine was too busy to look at each."""
        begun = time.monotonic()
        with self._changed:
            now, begin = self._clock.now(), self._looked
        answer = self._ask_dataplane("GET", f"metrics?since={begin}", None)
        with self._changed:
            conditions, anew, step, first = self._conditions, self._anew, self._step, self._boundary()
            intervals = 1 if anew else math.floor((now - first) / step) + 1
            self._looked, self._anew = first + (intervals - 1) * step, False
        self._find_variants(forget=anew)
        for end in (first + index * step for index in range(intervals)):
            news = {} if anew else counts_between(answer["endpoints"], begin, end)
            self._new_fleets.count({} if anew else counts_between(answer["fleets"], begin, end), conditions.time_scale)
            for key, watched in self._watched.items():
                counts = news.get(key, Counts()).times(conditions.time_scale)
                watched.count(counts, answer["in_flight"].get(key[0], {}).get(key[1], 0))
                watched.measure_cpu(counts.values["Invocations"], step, conditions)
            self._finish_interval(end, conditions, anew=anew)
            begin = end
        if self._looked % MINUTE_SECONDS == 0:
            Deployer.oven.evaluated(begun)

    def _finish_interval(self, now: float, conditions: Conditions, *, anew: bool) -> None:
        targets, self._refused = read_targets(self._runtime)
        if now % MINUTE_SECONDS == 0 and not anew:
            for key, watched in self._watched.items():
                watched.publish(key, now - MINUTE_SECONDS)
            self._new_fleets.publish(now - MINUTE_SECONDS)
            self._alarms.evaluate(now - conditions.publication_lag_seconds)
        known = {(target.endpoint, target.variant): target for target in targets}
        for key, watched in self._watched.items():
            target = known.get(key)
            if target is None or not watched.in_service:
                watched.follower = watched.recording = None
                continue
            follower = self._follower(target, watched, now, conditions)
            if now >= watched.next_tick:
                watched.next_tick = now + follower.tick_seconds
                self._driver.drive(target, watched, follower, now)

    def _follower(self, target: ScalableVariant, watched: Watched, now: float, conditions: Conditions) -> Follower:
        """Return who follows the variant; somebody new if its policies are."""
        scaling, follower = target.scaling, watched.follower
        if follower is None or follower.scaling.policies != scaling.policies:
            follower = watched.follower = Follower(scaling, watched.desired, conditions.delays)
            folder = self._runtime.directory / "scaling" / f"{target.endpoint}.{target.variant}"
            watched.recording = Recording.begin(folder, scaling, conditions.delays, follower.tick_seconds, now)
            watched.next_tick = now
        follower.set_bounds(scaling.min_capacity, scaling.max_capacity)
        return follower

    def _find_variants(self, *, forget: bool) -> None:
        found: dict[VariantKey, Watched] = {}
        backend = cast("SageMakerBackend", sagemaker_backends[ACCOUNT_ID][self._runtime.region])
        for endpoint in list(backend.endpoints.values()):
            for variant in list(endpoint.variants):
                key = (endpoint.endpoint_name, variant.name)
                watched = found[key] = self._watched.get(key) or Watched()
                if forget:
                    watched.forget()
                watched.in_service, watched.desired = len(variant.servers), variant.desired_count
                watched.steady = endpoint.endpoint_status == "InService"
                watched.pids = [server.process.pid for server in variant.servers]
        with self._changed:
            self._watched = found

    def _ask_dataplane(self, method: str, path: str, document: Mapping[str, Any] | None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self._runtime.dataplane_url}/_sandbox/{path}",
            data=None if document is None else json.dumps(document).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10.0) as answer:  # noqa: S310 - loopback
            return json.load(answer)
