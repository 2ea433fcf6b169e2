"""One request at a time reaches a service of moto, whose state no lock of its own guards."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sandbox import front


class Application:
    """Notes the most requests that were inside at once."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.wsgi_app: Any = self._answer
        self.most_at_once = 0
        self._inside = 0
        self._lock = threading.Lock()

    def _answer(self, _environ: Any, _start_response: Any) -> list[bytes]:
        with self._lock:
            self._inside += 1
            self.most_at_once = max(self.most_at_once, self._inside)
        time.sleep(0.005)
        with self._lock:
            self._inside -= 1
        return []


def most_at_once(service: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """Call `service` from eight threads."""
    monkeypatch.setattr(front, "create_backend_app", Application)
    application = front._create_service(service)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: application.wsgi_app({}, None), range(16)))
    most: int = application.most_at_once
    return most


@pytest.mark.parametrize("service", ["apigateway", "iam", "s3"])
def test_requests_to_a_service_are_answered_one_at_a_time(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert most_at_once(service, monkeypatch) == 1


@pytest.mark.parametrize("service", ["awslambda", "stepfunctions", "sagemaker"])
def test_requests_to_a_service_that_waits_are_answered_together(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert most_at_once(service, monkeypatch) > 1
