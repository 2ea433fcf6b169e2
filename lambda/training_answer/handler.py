"""Last step of a training run that a deploy asked for: answers CloudFormation with how the run ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudformation_answer import answer

PHYSICAL_ID = "trained-model"


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Pass the workflow's outcome on.

    Parameters
    ----------
    event : Mapping
        `cloudformation` (the request to answer) and either `model_data_url` or `reason`.
    """
    if reason := event.get("reason"):
        answer(event["cloudformation"], "FAILED", physical_id=PHYSICAL_ID, reason=str(reason))
        return
    data = {"ModelDataUrl": str(event["model_data_url"])}
    answer(event["cloudformation"], "SUCCESS", physical_id=PHYSICAL_ID, data=data)
