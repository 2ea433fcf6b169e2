"""moto's interpreter of state machines, corrected.

Importing it costs seconds (it brings half of moto), so it waits for the first call of Step Functions.
"""

from __future__ import annotations

import datetime
import importlib
import pkgutil
import sys
from collections.abc import Callable
from typing import Any

import moto.stepfunctions.parser.asl.component as components
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk,
    state_task_service_callback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_factory import (
    state_task_service_for,
)
from moto.stepfunctions.parser.asl.jsonata import jsonata
from moto.stepfunctions.parser.backend import execution
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends

from sandbox.events import emit
from sandbox.workflows import clients
from sandbox.workflows.casing import normalise_parameters, normalise_response
from sandbox.workflows.sagemaker_task import SageMakerTask
from sandbox.workflows.values import evaluate_jsonata, extract_json

_moto_start = execution.Execution.start
POLL_SECONDS = 0.1  # of a .sync task; moto's half second adds up over a training run

# Service names of aws-sdk tasks: in error names (S3.NoSuchKeyException), and in boto3 where it differs.
ERROR_NAMES = {
    "applicationautoscaling": "ApplicationAutoScaling",
    "cloudformation": "CloudFormation",
    "cloudwatch": "CloudWatch",
    "cloudwatchlogs": "CloudWatchLogs",
    "eventbridge": "EventBridge",
    "lambda": "Lambda",
    "s3": "S3",
    "sagemaker": "SageMaker",
    "sns": "Sns",
    "sqs": "Sqs",
    "ssm": "Ssm",
}
BOTO_NAMES = {
    "applicationautoscaling": "application-autoscaling",
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
}


def correct() -> None:
    """Set the seams; called once."""
    _import_all(components.__path__, components.__name__)
    _replace_everywhere("boto_client_for", clients.client_for)
    _replace_everywhere("extract_json", extract_json)
    jsonata._eval_jsonata = evaluate_jsonata
    state_task_service_callback._DELAY_SECONDS_SYNC_CONDITION_CHECK = POLL_SECONDS  # type: ignore[misc]
    state_task_service_aws_sdk._SERVICE_ERROR_NAMES.update(ERROR_NAMES)
    StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES.update(BOTO_NAMES)
    task: Any = StateTaskService
    task._normalise_parameters = normalise_parameters
    task._normalise_response = normalise_response
    factory: Any = state_task_factory
    factory.state_task_service_for = _task_for
    executions: Any = execution
    executions.BaseExecutionWorkerCommunication.terminated = _announce_end
    executions.Execution.start = _start_and_announce


def stop_executions() -> None:
    """Stop whatever runs, so that it starts nothing more."""
    now = datetime.datetime.now(tz=datetime.UTC)
    for _, _, backend in stepfunctions_parser_backends.iter_backends():
        assert isinstance(backend, StepFunctionsParserBackend)
        for running in backend._get_executions(ExecutionStatus.RUNNING):
            running.stop(stop_date=now, error="Sandbox", cause="the sandbox is going down")


def _task_for(service_name: str) -> Any:
    return SageMakerTask() if service_name == "sagemaker" else state_task_service_for(service_name)


def _start_and_announce(started: execution.Execution) -> None:
    _moto_start(started)
    _announce(started)


def _announce_end(communication: execution.BaseExecutionWorkerCommunication) -> None:
    communication._reflect_execution_status()  # type: ignore[no-untyped-call]
    _announce(communication.execution)


def _announce(changed: execution.Execution) -> None:
    """Tell EventBridge of an execution's new status: eventbridge-integration.html."""
    described = changed.to_describe_output()
    detail = {name: value for name, value in described.items() if not name.endswith("Details")}
    for field in ("startDate", "stopDate"):
        moment = detail.get(field)
        detail[field] = int(moment.timestamp() * 1000) if isinstance(moment, datetime.datetime) else None
    emit("aws.states", "Step Functions Execution Status Change", detail, [changed.exec_arn])


def _import_all(path: Any, name: str) -> None:
    for module in pkgutil.walk_packages(path, f"{name}."):
        importlib.import_module(module.name)


def _replace_everywhere(name: str, replacement: Callable[..., Any]) -> None:
    """Replace a function in every module of moto's Step Functions that imported it by name."""
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("moto.stepfunctions.parser.") and hasattr(module, name):
            setattr(module, name, replacement)
