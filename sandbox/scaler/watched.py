"""A variant in service, as the scaler sees it between two looks."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.scaler import usage
from sandbox.scaler.conditions import Conditions
from sandbox.scaler.counters import Counts, VariantKey
from sandbox.scaler.follower import Follower, Sighting
from sandbox.scaler.metrics import EndpointMetrics
from sandbox.scaler.recording import Recording


@dataclass
class Watched:
    """Instances of a variant, what they did, and who follows them.

    Parameters
    ----------
    since_minute, since_tick : Counts
        What happened since the last minute was published, and since the follower's last tick.
    cpu_percent : float
        Of an instance, in the interval before.
    in_flight : int
        Requests under way at the last look.
    next_tick : float
        When the follower looks again, in sandbox time.
    """

    in_service: int = 0
    desired: int = 0
    steady: bool = False
    pids: list[int] = field(default_factory=list)
    since_minute: Counts = field(default_factory=Counts)
    since_tick: Counts = field(default_factory=Counts)
    cpu_percent: float = 0.0
    in_flight: int = 0
    follower: Follower | None = None
    recording: Recording | None = None
    next_tick: float = 0.0
    _cpu_seconds: dict[int, float] = field(default_factory=dict)

    def forget(self) -> None:
        """Begin anew: what was counted belongs to another time."""
        self.since_minute = self.since_tick = Counts()
        self.follower = self.recording = None

    def count(self, counts: Counts, in_flight: int) -> None:
        """Add what happened in an interval."""
        self.since_minute = self.since_minute.plus(counts)
        self.since_tick = self.since_tick.plus(counts)
        self.in_flight = in_flight

    def measure_cpu(self, requests: float, interval_seconds: float, conditions: Conditions) -> None:
        """Measure CPU per instance; where an instance is a stand-in, the share of what it may serve is its CPU.

        Parameters
        ----------
        requests : float
            Answered in the interval.
        interval_seconds : float
            In sandbox time.
        conditions : Conditions
        """
        if not self.in_service:
            return
        if conditions.instance_max_rps is not None:
            self.cpu_percent = 100 * requests / (conditions.instance_max_rps * self.in_service * interval_seconds)
            return
        before, self._cpu_seconds = self._cpu_seconds, usage.cpu_seconds(self.pids)
        used = sum(seconds - before.get(pid, seconds) for pid, seconds in self._cpu_seconds.items())
        self.cpu_percent = 100 * used / (interval_seconds / conditions.time_scale) / self.in_service

    def sighting(self) -> Sighting:
        """Return what a follower needs, and begin the next tick."""
        seen = Sighting(
            {
                "invocations_per_instance": self.since_tick.values["InvocationsPerInstance"],
                "cpu_utilization": self.cpu_percent,
                "concurrent_requests_per_model": self.in_flight / max(self.in_service, 1),
            },
            self.in_service,
            self.desired,
            self.steady,
        )
        self.since_tick = Counts()
        return seen

    def publish(self, key: VariantKey, start: float) -> None:
        """Let CloudWatch show the minute that began at `start`, and begin the next one."""
        if not self.in_service:
            return
        instance = {
            "CPUUtilization": (self.cpu_percent, "Percent"),
            "MemoryUtilization": (100 * usage.memory_share(self.pids), "Percent"),
            "ConcurrentRequestsPerModel": (self.in_flight / self.in_service, "Count"),
        }
        EndpointMetrics.publish(*key, start, self.since_minute, instance)
        self.since_minute = Counts()
