"""Reads a training job's metrics out of its log, as SageMaker does with MetricDefinitions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from moto.sagemaker.exceptions import ValidationError

from sandbox.sagemaker.images import Image
from sandbox.sagemaker.requests import Request


def definitions(request: Request, image: Image) -> tuple[tuple[str, str], ...]:
    """Return (name, regex) of the metrics a job reports: an algorithm's own, else those of the request."""
    hyperparameters = request.get("HyperParameters") or request.get("StaticHyperParameters") or {}
    if image.metric_definitions and "sagemaker_program" not in hyperparameters:
        return image.metric_definitions
    declared = request["AlgorithmSpecification"].get("MetricDefinitions") or []
    return tuple((item["Name"], item["Regex"]) for item in declared)


def check_definitions(request: Request) -> None:
    """Refuse a metric whose regular expression is broken or captures nothing."""
    for item in request["AlgorithmSpecification"].get("MetricDefinitions") or []:
        try:
            groups = re.compile(item["Regex"]).groups
        except re.error as error:
            raise ValidationError(f"MetricDefinitions: '{item['Regex']}' of {item['Name']}: {error}") from error
        if groups == 0:
            raise ValidationError(f"MetricDefinitions: '{item['Regex']}' of {item['Name']} captures no value")


def final_metrics(log: Path, metrics: Iterable[tuple[str, str]], now: datetime) -> list[dict[str, Any]]:
    """Return FinalMetricDataList: of every metric the last value in `log`.

    Parameters
    ----------
    log : Path
        What the container printed.
    metrics : iterable of (name, regex)
        The regex's first group is the value.
    now : datetime
        Timestamp of the entries.
    """
    text = log.read_text(errors="replace") if log.exists() else ""
    found = []
    for name, regex in metrics:
        values = [match[1] for match in re.finditer(regex, text)]
        with suppress(IndexError, ValueError):  # never printed, or not a number
            found.append({"MetricName": name, "Value": float(values[-1]), "Timestamp": now})
    return found
