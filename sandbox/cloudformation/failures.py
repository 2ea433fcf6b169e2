"""Why an operation or a resource failed, in the words a stack event carries."""

from __future__ import annotations

import logging
import re

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.cloudformation.provisioner import ProvisioningError

_GONE = re.compile(r"NotFound|NoSuch|NonExist|DoesNotExist|Could not find|cannot be found", re.IGNORECASE)
_log = logging.getLogger(__name__)


class OperationFailedError(Exception):
    """A stack operation cannot go on; the message becomes the stack's status reason."""


def describe_error(error: Exception) -> str:
    """Return the ResourceStatusReason for what a provisioner raised."""
    match error:
        case ProvisioningError():
            return error.reason
        case ClientError():
            answer = error.response["Error"]
            message = f"{answer['Message']} ({error.operation_name})"
            return f'Resource handler returned message: "{message}" (HandlerErrorCode: {answer["Code"]})'
        case KeyError():
            return f"Properties validation failed: required key [{error.args[0]}] not found"
        case ValueError() | BotoCoreError():
            return f"Properties validation failed: {error}"
        case _:
            _log.error("a provisioner failed unexpectedly", exc_info=error)
            return f"Internal failure of the sandbox: {error!r} (the server's log has the traceback)"


def is_gone(error: Exception) -> bool:
    """Return whether an API said that what should be deleted does not exist."""
    if not isinstance(error, ClientError):
        return False
    answer = error.response["Error"]
    return bool(_GONE.search(f"{answer['Code']} {answer['Message']}"))
