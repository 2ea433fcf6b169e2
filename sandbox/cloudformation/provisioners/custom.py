"""Custom resources backed by a Lambda function (the user guide's "Custom resource request and response objects").

Differs from AWS: when the function itself fails (it raised, it cannot be imported), nobody will answer any more; AWS
waits out the ServiceTimeout, the sandbox fails the resource at once with the function's error.
"""

from __future__ import annotations

import json
import queue
import threading
import time
import uuid
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from sandbox.cloudformation.custom_resources import awaited_answer
from sandbox.cloudformation.provisioner import (
    POLL_SECONDS,
    Outcome,
    Provisioner,
    ProvisioningError,
    Request,
    provisions,
)

LONGEST_WAIT_SECONDS = 3600  # default and maximum of ServiceTimeout
LAMBDA_ARN_PARTS = 3


@provisions("AWS::CloudFormation::CustomResource")
@provisions("Custom::*")
class CustomResource(Provisioner):
    """A resource that a Lambda function of the user's provisions."""

    replaced_by = frozenset({"ServiceToken"})
    renamed_by_update = True

    def create(self, request: Request) -> Outcome:
        """Send Create; a failed one will get Delete all the same, with a made-up id if need be."""
        try:
            return self._send(request, "Create", {})
        except ProvisioningError as error:
            made_up = f"{request.stack_name}-{request.logical_id}-{uuid.uuid4().hex[:12].upper()}"
            raise ProvisioningError(error.reason, error.physical_id or made_up) from error

    def update(self, request: Request) -> Outcome:
        """Send Update with the old properties; an answer with another physical id means a replacement."""
        return self._send(request, "Update", {"OldResourceProperties": _stringified(request.old_properties)})

    def delete(self, request: Request) -> None:
        """Send Delete."""
        self._send(request, "Delete", {})

    def _send(self, request: Request, request_type: str, more: dict[str, Any]) -> Outcome:
        function = request.properties["ServiceToken"]
        if function.split(":")[2:LAMBDA_ARN_PARTS] != ["lambda"]:
            raise ValueError(f"ServiceToken must be the ARN of a Lambda function, got {function}")
        properties = {name: value for name, value in request.properties.items() if name != "ServiceTimeout"}
        with awaited_answer() as (token, answers):
            event = {
                "RequestType": request_type,
                "ResponseURL": f"{request.runtime.endpoint_url}/_sandbox/cfn-response/{token}",
                "StackId": request.stack_id,
                "RequestId": str(uuid.uuid4()),
                "ResourceType": request.type_name,
                "LogicalResourceId": request.logical_id,
                "ResourceProperties": _stringified(properties),
                **more,
            }
            if request.physical_id:
                event["PhysicalResourceId"] = request.physical_id
            invocation = _Invocation(request, function, event)
            answer = self._await(request, answers, invocation)
        physical_id = answer.get("PhysicalResourceId") or request.physical_id
        if answer.get("Status") != "SUCCESS":
            reason = answer.get("Reason") or "no reason given"
            message = f"Received response status [FAILED] from custom resource. Message returned: {reason}"
            raise ProvisioningError(message, physical_id)
        if not physical_id:
            raise ProvisioningError("Invalid PhysicalResourceId: the custom resource's answer has none")
        return Outcome(physical_id, answer.get("Data") or {})

    def _await(
        self, request: Request, answers: queue.SimpleQueue[dict[str, Any]], invocation: _Invocation
    ) -> dict[str, Any]:
        timeout_seconds = min(int(request.properties.get("ServiceTimeout", LONGEST_WAIT_SECONDS)), LONGEST_WAIT_SECONDS)
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            failure = invocation.failure  # read before the queue: an answer given before the failure counts
            with suppress(queue.Empty):
                return answers.get(timeout=POLL_SECONDS)
            if failure:
                raise ProvisioningError(f"The custom resource's function failed: {failure}", request.physical_id)
            if request.cancelled.is_set():
                raise ProvisioningError("Resource creation cancelled", request.physical_id)
        raise ProvisioningError(
            f"CloudFormation did not receive a response from your Custom Resource within {timeout_seconds} s. "
            "Please check your logs for requestId.",
            request.physical_id,
        )


class _Invocation:
    """Invokes the function in a thread; `failure` tells when it cannot answer any more."""

    def __init__(self, request: Request, function: str, event: dict[str, Any]) -> None:
        self.failure: str | None = None
        threading.Thread(target=self._invoke, args=(request, function, event), daemon=True).start()

    def _invoke(self, request: Request, function: str, event: dict[str, Any]) -> None:
        try:
            answer = request.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        except ReadTimeoutError:
            return  # it still runs: the answer decides
        except ClientError as error:
            self.failure = str(error)
            return
        if "FunctionError" in answer:
            self.failure = answer["Payload"].read().decode()[:1000]


def _stringified(value: Any) -> Any:
    """Return properties as a function gets them: CloudFormation turns every number and boolean into a string."""
    if isinstance(value, dict):
        return {key: _stringified(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_stringified(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value
