"""Locust users who send real records; how many there are follows any workload.

Run by `sagescale loadtest --scenario locust`, which describes the test in the JSON file named by SAGESCALE_LOADTEST:
`path`, `headers`, `records` (file, a CSV row a line), `users` (at the borders of steps), `step_seconds`,
`think_seconds`, `paced` (each user begins a request a second, however long answers take), `samples` (file to write),
`signing` (region, or null).
"""

from __future__ import annotations

import csv
import json
import os
import random
import time
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session
from locust import FastHttpUser, LoadTestShape, constant, constant_throughput, events, task

TEST: dict[str, Any] = json.loads(Path(os.environ["SAGESCALE_LOADTEST"]).read_text(encoding="utf-8"))
RECORDS = Path(TEST["records"]).read_text(encoding="utf-8").splitlines()
SIGNER = SigV4Auth(Session().get_credentials(), "execute-api", TEST["signing"]) if TEST["signing"] else None
FILE = Path(TEST["samples"]).open("w", encoding="utf-8", newline="", buffering=1 << 16)  # noqa: SIM115
SAMPLES = csv.writer(FILE)
SAMPLES.writerow(["timeStamp", "elapsed", "label", "responseCode", "success", "allThreads"])


class Caller(FastHttpUser):  # type: ignore[misc] # Locust is not in the environment that mypy sees
    """Sends a record, waits for the answer, pauses."""

    wait_time = constant_throughput(1.0) if TEST["paced"] else constant(TEST["think_seconds"])
    connection_timeout = network_timeout = 30.0

    @task  # type: ignore[untyped-decorator]
    def invoke(self) -> None:
        """Invoke the endpoint through the API."""
        body = random.choice(RECORDS).encode()  # noqa: S311 - traffic, not secrets
        headers = {"Content-Type": "text/csv", **TEST["headers"]}
        if SIGNER:
            request = AWSRequest("POST", self.host + TEST["path"], data=body, headers=headers)
            SIGNER.add_auth(request)
            headers = dict(request.headers)
        self.client.post(TEST["path"], data=body, headers=headers, name="invocations")


class Shape(LoadTestShape):  # type: ignore[misc]
    """Users over time, between the borders of the steps linearly."""

    def tick(self) -> tuple[int, float] | None:
        """Return users and how fast they may come; None when the test is over."""
        step = self.get_run_time() / TEST["step_seconds"]
        users = TEST["users"]
        if step >= len(users) - 1:
            return None
        before, after = users[int(step)], users[int(step) + 1]
        return round(before + (after - before) * (step % 1)), max(*users, 1.0)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _close_samples(**_: Any) -> None:
    FILE.close()


@events.init.add_listener  # type: ignore[untyped-decorator]
def _note_samples(environment: Any, **_: Any) -> None:
    @environment.events.request.add_listener  # type: ignore[untyped-decorator]
    def _write_sample(response_time: float, response: Any, exception: Any, **_: Any) -> None:
        code = getattr(response, "status_code", 0) or 0
        begin = int(time.time() * 1000 - response_time)
        users = environment.runner.user_count
        SAMPLES.writerow([begin, round(response_time), "invocations", code, str(exception is None).lower(), users])
