"""Endpoints, their variants and instances: who gets a request, and what happens when an instance dies.

A dead instance is taken out at once and its requests are sent again to another one. That is the sandbox's own
kindness: AWS answers such requests with an error.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate
from time import perf_counter_ns
from typing import Any

from sandbox.dataplane.capture import CaptureRule
from sandbox.dataplane.metrics import Bin, Metrics, VariantMetrics
from sandbox.dataplane.pace import Pace, Turnstile
from sandbox.dataplane.upstream import BrokenError, RefusedError, TimedOutError, Upstream, UpstreamAnswer

MODEL_TIMEOUT_SECONDS = 60.0  # a container's limit for /invocations: your-algorithms-inference-code.html
DRAIN_SECONDS = 30.0
MAX_BROKEN_ATTEMPTS = 3  # a request that breaks every instance it meets must not meet them all
REVIVE_SECONDS = 0.25
ROUTINGS = ("RANDOM", "LEAST_OUTSTANDING_REQUESTS")


class NoInstanceError(Exception):
    """No instance of the variant is alive."""


class BadRoutesError(ValueError):
    """Routes that make no sense; the message lists every problem."""


class Instance:
    """One model server."""

    def __init__(self, instance_id: str, port: int) -> None:
        self.id = instance_id
        self.in_flight = 0
        self.alive = True
        self.turnstile = Turnstile()
        self.upstream = Upstream(port, timeout_seconds=MODEL_TIMEOUT_SECONDS)
        self._reviver: asyncio.Task[None] | None = None

    def take_out(self) -> None:
        """Send nothing more here until it accepts connections again."""
        if self.alive:
            self.alive = False
            self._reviver = asyncio.get_running_loop().create_task(self._revive())

    def close(self) -> None:
        """Let go of the instance for good."""
        self.alive = False
        if self._reviver:
            self._reviver.cancel()
        self.upstream.close()

    async def drained(self, timeout_seconds: float) -> None:
        """Return when no request is under way here, at the latest after `timeout_seconds`."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while self.in_flight and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.005)

    async def _revive(self) -> None:
        while not self.alive:
            await asyncio.sleep(REVIVE_SECONDS)
            self.alive = await self.upstream.accepts()


@dataclass
class Fleet:
    """Instances of one endpoint configuration; while an update shifts traffic a variant has two.

    Parameters
    ----------
    share : float
        Of the variant's traffic, 0 to 1.
    instances : list of Instance
    metrics : VariantMetrics or None
        Where its requests are counted beside the variant's: an update's new fleet has metrics of its own.
    """

    share: float
    instances: list[Instance]
    metrics: VariantMetrics | None = None


@dataclass
class Variant:
    """A production variant.

    Parameters
    ----------
    name : str
    weight : float
        Its share of the traffic, relative to the other variants'.
    routing : str
        One of `ROUTINGS`.
    fleets : list of Fleet
        One, or the old and the new one.
    metrics : VariantMetrics
    pace : Pace
        What each instance serves at most.
    shadow : bool
        Whether it gets copies of requests, and nobody its answers.
    """

    name: str
    weight: float
    routing: str
    fleets: list[Fleet]
    metrics: VariantMetrics
    pace: Pace
    shadow: bool = False
    instances: list[Instance] = field(init=False)
    _turn: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.instances = [instance for fleet in self.fleets for instance in fleet.instances]

    def choose(self) -> Fleet:
        """Return a fleet, each as often as its share says."""
        if len(self.fleets) == 1:
            return self.fleets[0]
        return random.choices(self.fleets, [fleet.share for fleet in self.fleets])[0]  # noqa: S311 - traffic

    def pick(self, fleet: Fleet, broke: Instance | None = None) -> Instance:
        """Return the instance of `fleet` that gets the next request; raises NoInstanceError.

        The one that just `broke` the request gets it again only if there is no other.
        """
        candidates = [each for each in fleet.instances if each.alive and each is not broke]
        if not candidates and broke is not None and broke.alive:
            return broke
        if not candidates:
            raise NoInstanceError
        if len(candidates) == 1:
            return candidates[0]
        if self.routing == "RANDOM":
            return candidates[int(random.random() * len(candidates))]  # noqa: S311 - traffic, not secrets
        self._turn += 1  # so that equals take turns
        turn = self._turn % len(candidates)
        return min(candidates[turn:] + candidates[:turn], key=_in_flight)

    async def invoke(self, request: bytes) -> UpstreamAnswer:
        """Send the bytes of `request` to an instance, and to another one if that dies; count what happened.

        Raises
        ------
        NoInstanceError
            None is left.
        BrokenError, TimedOutError
            The model did not answer.
        """
        started = perf_counter_ns()
        fleet = self.choose()
        broken, broke = 0, None
        while True:
            instance = self.pick(fleet, broke)
            instance.in_flight += 1
            sent = perf_counter_ns()
            try:
                if self.pace.instance_max_rps is not None:
                    await instance.turnstile.pass_through(self.pace.instance_max_rps)
                answer = await instance.upstream.exchange(request)
            except RefusedError:
                instance.take_out()
                continue
            except BrokenError:
                broken, broke = broken + 1, instance
                if broken < MAX_BROKEN_ATTEMPTS:
                    continue
                self._count(fleet, instance, started, sent, 0)
                raise
            except (TimedOutError, asyncio.CancelledError):  # cancelled: a REST API's own, shorter limit
                self._count(fleet, instance, started, sent, 0)
                raise
            finally:
                instance.in_flight -= 1
            self._count(fleet, instance, started, sent, answer.status)
            return answer

    def _count(self, fleet: Fleet, instance: Instance, started: int, sent: int, status: int) -> None:
        now = perf_counter_ns()
        self._count_in(self.metrics.bin_now(), instance, now - sent, sent - started, status)
        if fleet.metrics is not None:
            self._count_in(fleet.metrics.bin_now(), instance, now - sent, sent - started, status)

    def _count_in(self, current: Bin, instance: Instance, model_ns: int, overhead_ns: int, status: int) -> None:
        current.invocations += 1
        current.invocations_per_instance += 1 / len(self.instances)
        current.instances[instance.id] = current.instances.get(instance.id, 0) + 1
        current.most_concurrent = max(current.most_concurrent, instance.in_flight + 1)
        current.model_latency.add(model_ns // 1000)
        current.overhead_latency.add(overhead_ns // 1000)
        if not 200 <= status < 300:
            current.model_errors += 1
            current.errors_4xx += 400 <= status < 500
            current.errors_5xx += not 400 <= status < 500


def _in_flight(instance: Instance) -> int:
    return instance.in_flight


class Endpoint:
    """An endpoint's routes at one time; a change replaces them whole."""

    def __init__(self, name: str, variants: list[Variant], capture: CaptureRule | None = None) -> None:
        self.name = name
        self.capture = capture
        production = [variant for variant in variants if not variant.shadow]
        self.variants = {variant.name: variant for variant in production}
        self._shadow = next((variant for variant in variants if variant.shadow), None)
        self._mirrored: set[asyncio.Task[None]] = set()
        self._only = production[0] if len(production) == 1 else None
        self._names = list(self.variants)
        self._cumulative = list(accumulate(variant.weight for variant in production))

    def choose(self) -> Variant:
        """Return a variant, each as often as its weight says."""
        if self._only is not None:
            return self._only
        weights = self._cumulative if self._cumulative[-1] > 0 else None
        return self.variants[random.choices(self._names, cum_weights=weights)[0]]  # noqa: S311 - traffic

    def mirror(self, request: bytes) -> None:
        """Copy a request to the shadow variant, as often as its weight relative to the other's says.

        The caller's answer does not wait for it. API_CreateEndpointConfig.html, ShadowProductionVariants.
        """
        shadow = self._shadow
        if shadow is None or random.random() * self._cumulative[-1] >= shadow.weight:  # noqa: S311 - traffic
            return
        task = asyncio.get_running_loop().create_task(_invoke_unseen(shadow, request))
        self._mirrored.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._mirrored.discard)

    @property
    def instances(self) -> dict[tuple[str, str, int], Instance]:
        """Every instance by variant, id and port."""
        return {
            (variant.name, instance.id, instance.upstream.port): instance
            for variant in (*self.variants.values(), *([self._shadow] if self._shadow else []))
            for instance in variant.instances
        }


async def _invoke_unseen(variant: Variant, request: bytes) -> None:
    with suppress(NoInstanceError, BrokenError, TimedOutError):  # its metrics tell
        await variant.invoke(request)


class Endpoints:
    """All endpoints.

    Parameters
    ----------
    metrics : Metrics
    """

    def __init__(self, metrics: Metrics) -> None:
        self.pace = Pace()
        self._metrics = metrics
        self._endpoints: dict[str, Endpoint] = {}

    def get(self, name: str) -> Endpoint | None:
        """Return the endpoint's present routes."""
        return self._endpoints.get(name)

    def in_flight(self) -> dict[str, dict[str, int]]:
        """Return the requests that are under way, by endpoint and variant."""
        return {
            endpoint.name: {
                variant.name: sum(instance.in_flight for instance in variant.instances)
                for variant in endpoint.variants.values()
            }
            for endpoint in self._endpoints.values()
        }

    async def put(self, name: str, document: Any) -> dict[str, Any]:
        """Replace the endpoint's routes; return when what was removed has no request under way.

        Parameters
        ----------
        document : dict
            ``{"variants": [{"name", "weight", "routing", "instances": [{"id", "port"}]}], "capture": {...}}``; during
            an update a variant also has ``"new_fleet": {"config", "share", "instances"}``; ``capture`` is a
            DataCaptureConfig or None.

        Returns
        -------
        dict
            ``undrained``: ids of removed instances that were still busy after `DRAIN_SECONDS`.

        Raises
        ------
        BadRoutesError
        """
        problems = list(_problems(document))
        if problems:
            raise BadRoutesError(f"endpoint {name}: " + "; ".join(problems))
        before = self._endpoints[name].instances if name in self._endpoints else {}
        capture = CaptureRule(document["capture"]) if document.get("capture") else None
        endpoint = Endpoint(name, [self._variant(name, each, before) for each in document["variants"]], capture)
        self._endpoints[name] = endpoint
        return await self._retire([each for key, each in before.items() if key not in endpoint.instances])

    async def delete(self, name: str) -> dict[str, Any]:
        """Forget the endpoint; return as `put` does."""
        endpoint = self._endpoints.pop(name, None)
        if endpoint is None:
            return {"undrained": []}
        undrained = await self._retire(list(endpoint.instances.values()))
        self._metrics.forget(name)
        return undrained

    def close(self) -> None:
        """Close every connection."""
        for endpoint in self._endpoints.values():
            for instance in endpoint.instances.values():
                instance.close()

    def _variant(
        self, endpoint: str, document: dict[str, Any], before: dict[tuple[str, str, int], Instance]
    ) -> Variant:
        name = document["name"]

        def instances(listed: list[dict[str, Any]]) -> list[Instance]:
            keys = [(each["id"], each["port"]) for each in listed]
            return [before.get((name, *key)) or Instance(*key) for key in keys]

        fleets = [Fleet(1.0, instances(document["instances"]))]
        if new := document.get("new_fleet"):
            fleets[0].share = 1.0 - new["share"]
            metrics = self._metrics.fleet(endpoint, name, new["config"])
            fleets.append(Fleet(float(new["share"]), instances(new["instances"]), metrics))
        return Variant(
            name=name,
            weight=float(document.get("weight", 1.0)),
            routing=document.get("routing", "RANDOM"),
            fleets=fleets,
            metrics=self._metrics.variant(endpoint, name),
            shadow=bool(document.get("shadow", False)),
            pace=self.pace,
        )

    async def _retire(self, removed: list[Instance]) -> dict[str, Any]:
        await asyncio.gather(*(instance.drained(DRAIN_SECONDS) for instance in removed))
        undrained = [instance.id for instance in removed if instance.in_flight]
        for instance in removed:
            instance.close()
        return {"undrained": undrained}


def _problems(document: Any) -> list[str]:
    try:
        variants = document["variants"]
        if not variants:
            return ["no variants"]
        if all(variant.get("shadow") for variant in variants):
            return ["only shadow variants"]
        problems = []
        for variant in variants:
            routing, weight = variant.get("routing", "RANDOM"), float(variant.get("weight", 1.0))
            if routing not in ROUTINGS:
                problems.append(f"variant {variant['name']}: routing is {routing!r}, known: {', '.join(ROUTINGS)}")
            if not weight >= 0:
                problems.append(f"variant {variant['name']}: weight is {weight}, 0 or more is wanted")
            problems += [
                f"instance {each['id']}: port is {each['port']!r}, a number is wanted"
                for each in (*variant["instances"], *(variant.get("new_fleet") or {"instances": []})["instances"])
                if not isinstance(each["port"], int)
            ]
        problems += [
            f"variant {variant['name']}: the new fleet's share is {new['share']}, 0 to 1 is wanted"
            for variant in variants
            if (new := variant.get("new_fleet")) and not (0 <= new["share"] <= 1 and new["config"])
        ]
        if len({variant["name"] for variant in variants}) < len(variants):
            problems.append("two variants have one name")
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        return [f"not routes: {type(error).__name__}: {error}"]
    return problems
