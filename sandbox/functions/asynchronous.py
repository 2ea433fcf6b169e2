"""Asynchronous invocation: retries, then the destination or the dead-letter queue."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from sandbox.functions.pool import Outcome
from sandbox.runtime import Runtime

DEFAULT_RETRIES = 2  # invocation-async-error-handling.html
RETRY_DELAYS_SECONDS = (1.0, 2.0)  # AWS waits one minute, then two; here a minute is a second

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class QueuedEvent:
    """An event on its way to a function.

    Parameters
    ----------
    event : object
        What the function is invoked with.
    request_id, function_arn : str
        Of the invocation.
    role_arn : str
        The function's execution role, which delivers.
    config : dict
        The function's EventInvokeConfig, with its DeadLetterConfig beside.
    """

    event: Any
    request_id: str
    function_arn: str
    role_arn: str
    config: dict[str, Any]


def invoke_in_background(queued: QueuedEvent, attempt: Callable[[], Outcome], runtime: Runtime) -> None:
    """Run `attempt` in a thread, again if it fails, and tell whoever `queued.config` names how it went."""
    arguments = (queued, attempt, runtime)
    threading.Thread(target=_run, args=arguments, name=f"event-{queued.request_id}", daemon=True).start()


def _run(queued: QueuedEvent, attempt: Callable[[], Outcome], runtime: Runtime) -> None:
    retries = queued.config.get("MaximumRetryAttempts", DEFAULT_RETRIES)
    outcome = attempt()
    tried = 1
    while outcome.failed and tried <= retries:
        time.sleep(RETRY_DELAYS_SECONDS[tried - 1])
        outcome = attempt()
        tried += 1
    destinations = queued.config.get("DestinationConfig") or {}
    chosen = (destinations.get("OnFailure" if outcome.failed else "OnSuccess") or {}).get("Destination")
    dead_letters = (queued.config.get("DeadLetterConfig") or {}).get("TargetArn") if outcome.failed else None
    record = _record(queued, outcome, tried)
    for target, message in ((chosen, record), (dead_letters, queued.event)):
        if target:
            _deliver(target, message, record, partial(runtime.client, role_arn=queued.role_arn))


def _record(queued: QueuedEvent, outcome: Outcome, tried: int) -> dict[str, Any]:
    """Return an invocation record, the form every destination gets: invocation-async-retain-records.html."""
    response: dict[str, Any] = {"statusCode": 200, "executedVersion": "$LATEST"}
    if outcome.failed:
        response["functionError"] = "Unhandled"
    return {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": queued.request_id,
            "functionArn": queued.function_arn,
            "condition": "RetriesExhausted" if outcome.failed else "Success",
            "approximateInvokeCount": tried,
        },
        "requestPayload": queued.event,
        "responseContext": response,
        "responsePayload": json.loads(outcome.payload),
    }


def _deliver(target: str, message: Any, record: dict[str, Any], client: Callable[[str], Any]) -> None:
    service, name = target.split(":")[2], target.rsplit(":", 1)[-1]
    text = json.dumps(message)
    try:
        if service == "sqs":
            url = client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
            client("sqs").send_message(QueueUrl=url, MessageBody=text)
        elif service == "sns":
            client("sns").publish(TopicArn=target, Message=text)
        elif service == "lambda":
            client("lambda").invoke(FunctionName=target, InvocationType="Event", Payload=text)
        elif service == "events":
            entry = {
                "Source": "lambda",
                "DetailType": f"Lambda Function Invocation Result - {record['requestContext']['condition']}",
                "Detail": text,
                "EventBusName": name.removeprefix("event-bus/"),
                "Resources": [target, record["requestContext"]["functionArn"]],
            }
            client("events").put_events(Entries=[entry])
        else:
            log.error("destination %s of %s is of no known kind", target, record["requestContext"]["functionArn"])
    except ClientError:
        log.exception("destination %s of %s", target, record["requestContext"]["functionArn"])
