"""Replay days of traffic against one policy: ``"target tracking"|step DAYS``."""

import json
import statistics
import sys
import time

from autoscaling.candidates import Recipe, aws_rule, policy_of
from autoscaling.capacity import InstanceCapacity
from autoscaling.simulator import simulate
from autoscaling.workload import diurnal

REPETITIONS = 9  # the first one warms up
STEP = Recipe(step_out=0.8, step_in=0.4)
capacity = InstanceCapacity(max_rps=100, workers=2)
scaling = (
    aws_rule(60 * capacity.max_rps, 20)
    if sys.argv[1] == "target tracking"
    else policy_of(STEP, 60 * capacity.max_rps, 20)
)
workload = diurnal(low=2_000, high=60_000, minutes=1440 * int(sys.argv[2]))
seconds, cpu_seconds = [], []
for _ in range(REPETITIONS):
    started, cpu_started = time.perf_counter(), time.process_time()
    simulate(scaling, workload, capacity=capacity)
    seconds.append(time.perf_counter() - started)
    cpu_seconds.append(time.process_time() - cpu_started)
print(json.dumps({"seconds": statistics.median(seconds), "work_cpu_seconds": statistics.median(cpu_seconds)}))
