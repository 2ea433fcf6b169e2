"""A job of any kind: the request that made it, and what has happened since.

``Describe*Job`` is the request plus facts; moto's listings, tags and search read the snake_case attributes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from moto.core.utils import utcnow
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.utils import arn_formatter

from sandbox.sagemaker.requests import Request

IN_PROGRESS = ("InProgress", "Stopping")

log = logging.getLogger(__name__)


class JobFailedError(Exception):
    """Ends a job as Failed; the text becomes its FailureReason."""


class Job:
    """What all kinds share.

    Parameters
    ----------
    request : dict
        Parameters of the Create call.
    account_id, region_name : str
        Owner, for the ARN.
    """

    kind: str  # "TrainingJob": prefix of AWS's field names
    arn_type: str  # "training-job"
    end_field: str  # "TrainingEndTime"

    def __init__(self, request: Request, account_id: str, region_name: str) -> None:
        self.tags: list[dict[str, str]] = list(request.get("Tags") or [])
        self.request = {name: value for name, value in request.items() if name != "Tags" and value is not None}
        self.name: str = request[f"{self.kind}Name"]
        self.arn = arn_formatter(self.arn_type, self.name, account_id, region_name)
        self.creation_time: datetime = utcnow()
        self.last_modified_time: datetime = self.creation_time
        self.end_time: datetime | None = None
        self.status = "InProgress"
        self.failure_reason: str | None = None
        self.facts: dict[str, Any] = {}
        self.stop_requested = threading.Event()
        self.finished = threading.Event()

    def begin(self, work: Callable[[], str]) -> None:
        """Do `work` in a thread; it returns the final status or raises JobFailedError."""
        threading.Thread(target=self._run, args=(work,), name=self.name, daemon=True).start()

    def stop(self) -> None:
        """Ask the job to stop, as Stop*Job does; a job that is over cannot be stopped."""
        if self.status not in IN_PROGRESS:
            raise ValidationError(f"The request was rejected because the {self.arn_type} is in status {self.status}.")
        self.status = "Stopping"
        self.touch()
        self.stop_requested.set()

    def log_stream(self, host: str) -> str:
        """Return the name of the log stream of one of the job's machines."""
        return f"{self.name}/{host}-{int(self.creation_time.timestamp())}"

    def touch(self) -> None:
        """Note that something changed."""
        self.last_modified_time = utcnow()

    def describe(self) -> dict[str, Any]:
        """Return the answer of Describe*Job."""
        answer = {
            **self.request,
            f"{self.kind}Arn": self.arn,
            f"{self.kind}Status": self.status,
            "CreationTime": self.creation_time,
            "LastModifiedTime": self.last_modified_time,
            self.end_field: self.end_time,
            "FailureReason": self.failure_reason,
            **self.facts,
        }
        return {name: value for name, value in answer.items() if value is not None}

    def gen_response_object(self) -> dict[str, Any]:
        """Return what moto's Search shows."""
        return self.describe()

    def _run(self, work: Callable[[], str]) -> None:
        try:
            status = work()
        except JobFailedError as failure:
            status, self.failure_reason = "Failed", str(failure)
        except Exception as error:
            log.exception("%s %s", self.arn_type, self.name)
            status, self.failure_reason = "Failed", f"InternalServerError: {type(error).__name__}: {error}"
        self.end_time = utcnow()
        self.touch()
        self.on_end(status)
        self.status = status
        self.finished.set()

    def on_end(self, status: str) -> None:
        """Record what else changes with the final `status`, just before it shows."""


class ProcessingJob(Job):
    """A processing job."""

    kind, arn_type, end_field = "ProcessingJob", "processing-job", "ProcessingEndTime"

    processing_job_name = property(lambda self: self.name)
    processing_job_status = property(lambda self: self.status)
    processing_end_time = property(lambda self: self.end_time)


class TrainingJob(Job):
    """A training job, with its secondary statuses."""

    kind, arn_type, end_field = "TrainingJob", "training-job", "TrainingEndTime"

    training_job_name = property(lambda self: self.name)
    training_job_status = property(lambda self: self.status)
    training_end_time = property(lambda self: self.end_time)

    def enter(self, secondary_status: str, message: str) -> None:
        """Change the secondary status; `message` is what AWS's console shows beside it."""
        now = utcnow()
        transitions = self.facts.setdefault("SecondaryStatusTransitions", [])
        if transitions:
            transitions[-1]["EndTime"] = now
        transitions.append({"Status": secondary_status, "StartTime": now, "StatusMessage": message})
        self.facts["SecondaryStatus"] = secondary_status
        self.touch()

    def on_end(self, status: str) -> None:
        """Close the secondary statuses and count the seconds."""
        if self.facts.get("SecondaryStatus") != "MaxRuntimeExceeded":
            self.enter(status, self.failure_reason or f"Training job {status.lower()}")
        self.facts["SecondaryStatusTransitions"][-1]["EndTime"] = self.end_time
        started = self.facts.get("TrainingStartTime")
        if started and self.end_time:
            seconds = max(1, round((self.end_time - started).total_seconds()))
            self.facts.update(TrainingTimeInSeconds=seconds, BillableTimeInSeconds=seconds)
