"""Account for the service level of many lanes minute by minute: the arithmetic of open_loop over lanes."""

import numpy as np

from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.lane_policies import MINUTE, Ints
from autoscaling.latency import Floats, tail_at
from autoscaling.open_loop import queue_limit, share_beyond
from autoscaling.service_level import slack_in_services, station_servers
from autoscaling.workload import OpenLoop


class LaneLedger:
    """Instances, violations and bad requests of every lane."""

    def __init__(self, workload: OpenLoop, lanes: int, most: int, *, capacity: InstanceCapacity, slo: Slo) -> None:
        self.arrivals = workload.requests
        self.served = capacity.max_rps * MINUTE  # requests / minute / instance
        self.limit = queue_limit(capacity)
        slack = slack_in_services(capacity, slo)
        self.allowed = capacity.max_rps * max(slack - 1, 0.0) * capacity.service_seconds
        self.max_bad_share = slo.max_bad_share
        self.steady_late = np.stack(
            [
                tail_at(station_servers(capacity, count), workload.requests / (count * self.served), slack)
                for count in range(1, most + 1)
            ],
            axis=1,
        )  # (minutes, counts)
        self.waiting = np.zeros(lanes)
        self.any_waiting = False
        self.instance_minutes = np.zeros(lanes)
        self.violations: Ints = np.zeros(lanes, dtype=np.int64)
        self.bad = np.zeros(lanes)

    def record(self, minute: int, serving: Floats) -> None:
        """Account for one minute.

        Parameters
        ----------
        minute
            Minutes come in order.
        serving : ndarray of shape (n_lanes,), instances
            In service.
        """
        arrivals = float(self.arrivals[minute])
        bad = self.steady_late[minute].take(serving.astype(np.int64) - 1) * arrivals
        excess = arrivals - serving * self.served
        if self.any_waiting or excess.max() > 0:
            limit = serving * self.limit
            share = share_beyond(serving * self.allowed, self.waiting, excess, limit)
            waiting = np.maximum(self.waiting + excess, 0.0)
            self.waiting = np.minimum(waiting, limit)
            self.any_waiting = bool(self.waiting.any())
            bad = np.maximum(np.maximum(bad, share * arrivals), waiting - limit)
        self.instance_minutes += serving
        self.violations += bad > self.max_bad_share * arrivals
        self.bad += bad
