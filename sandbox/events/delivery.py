"""Brings events to the targets of rules and schedules, in the background, as AWS does."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.runtime import Runtime

WORKERS = 8

log = logging.getLogger(__name__)


class Delivery:
    """Sends to Lambda, Step Functions, SNS, SQS, log groups, event buses and, for schedules, any API action.

    Parameters
    ----------
    runtime : Runtime
        The sandbox.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._client = runtime.client
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="sandbox-events")
        self._senders: dict[str, Callable[[dict[str, Any], str], Any]] = {
            "lambda": self._invoke,
            "states": self._start_execution,
            "sns": self._publish,
            "sqs": self._send_message,
            "logs": self._log,
            "events": self._put_event,
            "scheduler": self._call_action,
        }

    def send(self, target: dict[str, Any], message: str) -> None:
        """Send `message` to `target` soon; a failure goes to the target's dead-letter queue and to the log."""
        self._pool.submit(self._send, target, message)

    def stop(self) -> None:
        """Drop what is not sent yet."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _send(self, target: dict[str, Any], message: str) -> None:
        service = target["Arn"].split(":")[2]
        sender: Callable[[dict[str, Any], str], Any] = self._senders.get(service, self._refuse)
        try:
            sender(target, message)
        except (ClientError, BotoCoreError, ValueError):
            log.exception("event for %s", target["Arn"])
            dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
            if dead_letters:
                self._send_message({"Arn": dead_letters}, message)

    def _invoke(self, target: dict[str, Any], message: str) -> None:
        self._client("lambda", target.get("RoleArn")).invoke(
            FunctionName=target["Arn"], InvocationType="Event", Payload=message
        )

    def _start_execution(self, target: dict[str, Any], message: str) -> None:
        name = str(uuid.uuid4())  # as AWS names it; moto would call each None, and refuse the second one
        self._client("stepfunctions", target.get("RoleArn")).start_execution(
            stateMachineArn=target["Arn"], name=name, input=message
        )

    def _publish(self, target: dict[str, Any], message: str) -> None:
        self._client("sns", target.get("RoleArn")).publish(TopicArn=target["Arn"], Message=_plain(message))

    def _send_message(self, target: dict[str, Any], message: str) -> None:
        sqs = self._client("sqs", target.get("RoleArn"))
        url = sqs.get_queue_url(QueueName=target["Arn"].rsplit(":", 1)[-1])["QueueUrl"]
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        sqs.send_message(QueueUrl=url, MessageBody=message, **({"MessageGroupId": group} if group else {}))

    def _log(self, target: dict[str, Any], message: str) -> None:
        logs = self._client("logs")
        group = target["Arn"].split(":log-group:", 1)[1].removesuffix(":*")
        stream = f"{time.time_ns():x}"
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": message}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

    def _put_event(self, target: dict[str, Any], message: str) -> None:
        event = json.loads(message)
        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event["resources"],
            "EventBusName": target["Arn"],
        }
        self._client("events", target.get("RoleArn")).put_events(Entries=[entry])

    def _refuse(self, target: dict[str, Any], message: str) -> None:
        del message
        raise ValueError(f"the sandbox delivers to {', '.join(self._senders)}, not to {target['Arn']}")

    def _call_action(self, target: dict[str, Any], message: str) -> None:
        """Call what ``arn:aws:scheduler:::aws-sdk:service:action`` names, with the message as parameters."""
        _, service, action = target["Arn"].rsplit(":", 2)
        names = {"sfn": "stepfunctions", "eventbridge": "events", "cloudwatchlogs": "logs"}
        method = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", action).lower()
        getattr(self._client(names.get(service, service), target.get("RoleArn")), method)(**json.loads(message or "{}"))


def _plain(message: str) -> str:
    """Return a JSON string without its quotes: what a template in quotes means."""
    try:
        value = json.loads(message)
    except ValueError:
        return message
    return value if isinstance(value, str) else message
