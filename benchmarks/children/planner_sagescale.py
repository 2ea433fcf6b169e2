"""Judge drawn policies, or make a whole plan, for a diurnal trace: ``judge|plan HOURS CANDIDATES``."""

import json
import sys
import time

import numpy as np

from autoscaling.candidates import drawn_recipe, policy_of
from autoscaling.capacity import InstanceCapacity, Slo
from autoscaling.delays import DELAY_RANGE
from autoscaling.judging import InstanceOption, Setting, judge
from autoscaling.planner import PlanRequest, plan
from autoscaling.simulator import MONDAY
from autoscaling.workload import diurnal

_, what, hours, candidates = sys.argv
workload = diurnal(low=2_000, high=60_000, minutes=60 * int(hours))
option = InstanceOption("ml.m5.large", InstanceCapacity(max_rps=100, workers=2), 0.115)
if what == "judge":
    random = np.random.default_rng(0)
    policies = [policy_of(drawn_recipe(random, 20), option.per_minute, 20) for _ in range(int(candidates))]
    started, cpu_started = time.perf_counter(), time.process_time()
    judge(policies, workload, option, Setting(Slo(), DELAY_RANGE, MONDAY))
else:
    started, cpu_started = time.perf_counter(), time.process_time()
    plan(PlanRequest(workload=workload, options=(option,), maximum=20, slo=Slo(), budget=int(candidates)))
seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
print(json.dumps({"seconds": seconds, "work_cpu_seconds": cpu_seconds}))
