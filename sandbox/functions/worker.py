"""The process that runs one Lambda function: imports its handler once, then answers event after event.

Run by path, never imported by the sandbox, and made of the standard library alone: like in Lambda, a function sees its
own code, the standard library and boto3 with what boto3 needs. Anything else the virtual environment happens to hold is
hidden, so that a dependency missing from the asset is missing here too.

Frames on the socket are a length (4 bytes, big-endian) and JSON. The first one tells how importing the handler went.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import json
import logging
import os
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

# What the Python runtimes bring: lambda-python.html, "Runtime-included SDK versions".
RUNTIME_PACKAGES = frozenset({"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"})
LOG_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"

Handler = Callable[[Any, "Context"], Any]


class Context:
    """What a handler is given beside its event: python-context.html."""

    def __init__(self, invocation: dict[str, Any]) -> None:
        environment = os.environ
        self.aws_request_id: str = invocation["request_id"]
        self.invoked_function_arn: str = invocation["function_arn"]
        self.function_name = environment["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = environment["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = environment["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = environment["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        self.client_context = None
        self._deadline = time.monotonic() + invocation["timeout_seconds"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function times out."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class _RuntimeFinder:
    """Hides packages that Lambda would not have."""

    def __init__(self, task_root: str) -> None:
        self._task_root = task_root

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Let an import go on (None), or say that there is no such module."""
        del path, target
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in RUNTIME_PACKAGES or top in sys.modules:
            return
        if importlib.machinery.PathFinder.find_spec(top, [self._task_root]) is None:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


class _RequestId(logging.Filter):
    current = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self.current
        return True


def main() -> None:
    """Serve events from the socket whose descriptor is the only argument, until it closes."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    task_root = os.environ["LAMBDA_TASK_ROOT"]
    sys.meta_path.insert(0, _RuntimeFinder(task_root))
    request_id = _log_to_stdout()
    try:
        handler = _load(os.environ["_HANDLER"])
    except BaseException as error:  # whatever a module does when it is imported
        _send(channel, _init_problem(error))
        return
    _send(channel, {})
    while (frame := _receive(channel)) is not None:
        request_id.current = frame["request_id"]
        _send(channel, _answer(handler, frame))


def _answer(handler: Handler, invocation: dict[str, Any]) -> dict[str, Any]:
    request_id = invocation["request_id"]
    started = time.monotonic()
    _say(f"START RequestId: {request_id} Version: {os.environ['AWS_LAMBDA_FUNCTION_VERSION']}")
    answer: dict[str, Any]
    try:
        result = handler(invocation["event"], Context(invocation))
        answer = {"payload": _encode(result)}
    except Exception as error:
        problem = _problem(error, request_id)
        answer = {"error": problem}
        _say(f"[ERROR] {problem['errorType']}: {problem['errorMessage']}")
        _say("".join(problem["stackTrace"]))
    _say(f"END RequestId: {request_id}")
    _say(f"REPORT RequestId: {request_id}\tDuration: {(time.monotonic() - started) * 1000:.2f} ms")
    return answer


class MarshalError(Exception):
    """The handler's result is not JSON."""


def _encode(result: Any) -> str:
    try:
        return json.dumps(result)
    except (TypeError, ValueError) as error:
        raise MarshalError(f"Unable to marshal response: {error}") from error


def _problem(error: BaseException, request_id: str) -> dict[str, Any]:
    kind = "Runtime.MarshalError" if isinstance(error, MarshalError) else type(error).__name__
    trace = traceback.format_tb(error.__traceback__)[1:]  # without this file's own frame
    return {"errorMessage": str(error), "errorType": kind, "requestId": request_id, "stackTrace": trace}


def _load(handler: str) -> Handler:
    module_name, _, function_name = handler.replace("/", ".").rpartition(".")
    module = importlib.import_module(module_name)
    found: Handler | None = getattr(module, function_name, None)
    if found is None:
        raise LookupError(f"Handler '{function_name}' missing on module '{module_name}'")
    return found


def _init_problem(error: BaseException) -> dict[str, Any]:
    module_name = os.environ["_HANDLER"].replace("/", ".").rpartition(".")[0]
    problem = _problem(error, "")
    if isinstance(error, ImportError):
        problem |= {
            "errorType": "Runtime.ImportModuleError",
            "errorMessage": f"Unable to import module '{module_name}': {error}",
            "stackTrace": [],
        }
    elif isinstance(error, LookupError) and str(error).startswith("Handler '"):
        problem |= {"errorType": "Runtime.HandlerNotFound", "stackTrace": []}
    _say(f"[ERROR] {problem['errorType']}: {problem['errorMessage']}")
    return {"error": problem}


def _log_to_stdout() -> _RequestId:
    request_id = _RequestId()
    stream = logging.StreamHandler(sys.stdout)
    stream.setFormatter(logging.Formatter(LOG_FORMAT, "%Y-%m-%dT%H:%M:%S"))
    stream.addFilter(request_id)
    logging.Formatter.converter = time.gmtime
    logging.getLogger().addHandler(stream)
    return request_id


def _say(line: str) -> None:
    sys.stdout.write(line.rstrip("\n") + "\n")
    sys.stdout.flush()


def _receive(channel: socket.socket) -> dict[str, Any] | None:
    head = _read(channel, 4)
    if head is None:
        return None
    body = _read(channel, struct.unpack(">I", head)[0])
    frame: dict[str, Any] | None = None if body is None else json.loads(body)
    return frame


def _read(channel: socket.socket, size: int) -> bytes | None:
    parts = []
    while size:
        part = channel.recv(min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _send(channel: socket.socket, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    channel.sendall(struct.pack(">I", len(body)) + body)


if __name__ == "__main__":
    main()
