"""Answers CloudFormation for a custom resource; copied into the asset of every function that needs it.

References
----------
AWS CloudFormation user guide, "Custom resource response objects": the answer is a PUT of at most 4,096 bytes.
"""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Literal

LONGEST_ANSWER_BYTES = 4096
LONGEST_REASON_CHARACTERS = 1500  # assumed: leaves room for ids, data and escapes
ECHOED = ("StackId", "RequestId", "LogicalResourceId")

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def answer(
    request: Mapping[str, Any],
    status: Literal["SUCCESS", "FAILED"],
    *,
    physical_id: str,
    reason: str = "",
    data: Mapping[str, str] | None = None,
) -> None:
    """Tell CloudFormation how a custom resource fared.

    Parameters
    ----------
    request : Mapping
        CloudFormation's event, or the part of it that holds ResponseURL and the ids to echo.
    status : str
        SUCCESS or FAILED.
    physical_id : str
        PhysicalResourceId; a new one makes CloudFormation delete the old.
    reason : str
        Why it failed; cut to fit, because CloudFormation drops an answer that is too long.
    data : Mapping
        Attributes for Fn::GetAtt.
    """
    body = {
        "Status": status,
        "PhysicalResourceId": physical_id,
        "Reason": reason[:LONGEST_REASON_CHARACTERS],
        "Data": dict(data or {}),
        **{key: request[key] for key in ECHOED},
    }
    encoded = json.dumps(body).encode()
    if len(encoded) > LONGEST_ANSWER_BYTES:
        encoded = json.dumps({**body, "Reason": ascii(reason)[:500], "Data": {}}).encode()
    logger.info("%s %s: %s", request["LogicalResourceId"], status, reason or "done")
    put = urllib.request.Request(request["ResponseURL"], data=encoded, method="PUT", headers={"Content-Type": ""})  # noqa: S310 - CloudFormation's own URL
    with urllib.request.urlopen(put, timeout=30):  # noqa: S310
        pass


def answering(
    event: Mapping[str, Any], physical_id: str, act: Callable[[Mapping[str, Any]], Mapping[str, str] | None]
) -> None:
    """Run `act` on CloudFormation's event and answer with its attributes, or with why it failed.

    Deletion always succeeds: a resource that cannot be deleted would hold the whole stack.
    """
    try:
        data = act(event)
    except Exception as error:
        logger.exception("%s failed", event["RequestType"])
        if event["RequestType"] != "Delete":
            answer(event, "FAILED", physical_id=physical_id, reason=f"{type(error).__name__}: {error}")
            return
        data = None
    answer(event, "SUCCESS", physical_id=physical_id, data=data)
