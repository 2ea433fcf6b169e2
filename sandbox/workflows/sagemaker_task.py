"""The optimized SageMaker integration of Step Functions, which moto knows by name only.

``.sync`` starts a job, polls it, and ends with its description: as the task's output when it completed, else as the
Cause of ``States.TaskFailed``. An execution that stops, and a task that times out, stop the job.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from moto.core.utils import get_service_model
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from sandbox.workflows.clients import client_for
from sandbox.workflows.values import to_json_values

OWN_ERRORS = frozenset({"ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound"})  # SageMaker's error shapes


STARTED_BY = {"Key": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"}  # connect-sagemaker.html
JOBS = ("createProcessingJob", "createTrainingJob", "createHyperParameterTuningJob")
PLAIN = ("createModel", "createEndpointConfig", "createEndpoint", "updateEndpoint")  # connect-sagemaker.html


class SageMakerTask(StateTaskServiceCallback):
    """One state whose resource is ``arn:aws:states:::sagemaker:...``."""

    def __init__(self) -> None:
        patterns: Any = {ResourceCondition.Sync, ResourceCondition.WaitForTaskToken}  # moto waits on a token's pool
        super().__init__(supported_integration_patterns=patterns)

    def _get_supported_parameters(self) -> set[str] | None:
        """Return what the action takes; None makes CreateStateMachine refuse the definition by the resource's ARN."""
        action = self.resource.api_action
        waits = self.resource.condition is not None
        if action not in JOBS and (waits or action not in PLAIN):
            return None
        operation = get_service_model("sagemaker").operation_model(action[0].upper() + action[1:])
        return set(operation.input_shape.members)

    def _eval_service_task(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
    ) -> None:
        del resource_runtime_part
        if self.resource.condition is not None:
            normalised_parameters["Tags"] = [*normalised_parameters.get("Tags", []), STARTED_BY]
        answer = getattr(client_for("sagemaker", state_credentials), self._get_boto_service_action())(
            **normalised_parameters
        )
        answer.pop("ResponseMetadata")
        env.stack.append(answer)

    def _build_sync_resolver(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
    ) -> Callable[[], Any]:
        del resource_runtime_part
        env.stack.pop()  # the ARN that Create answered: the job's description replaces it
        describe = self._job_call("describe", normalised_parameters, state_credentials)

        def resolve() -> Any | None:
            job = describe()
            job.pop("ResponseMetadata")
            status = job[f"{self._job_kind}Status"]
            if status in {"InProgress", "Stopping"}:
                return None
            job = to_json_values(job, epoch_milliseconds=True)
            if status == "Completed":
                return job
            task_failed = StatesErrorNameType.StatesTaskFailed
            raise FailureEventException(self._failure(env, StatesErrorName(typ=task_failed), to_json_str(job)))

        return resolve

    def _eval_integration_pattern(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
    ) -> None:
        try:
            super()._eval_integration_pattern(env, resource_runtime_part, normalised_parameters, state_credentials)
        finally:
            if not env.is_running():
                with suppress(ClientError):  # it ended by itself in the meantime
                    self._job_call("stop", normalised_parameters, state_credentials)()

    @property
    def _job_kind(self) -> str:
        return str(self.resource.api_action.removeprefix("create"))

    def _job_call(self, verb: str, parameters: dict[str, Any], credentials: Any) -> Callable[[], Any]:
        """Return the call of another action on the job that `parameters` created."""
        action = self._get_boto_service_action().replace("create", verb, 1)
        field = f"{self._job_kind}Name"
        return partial(getattr(client_for("sagemaker", credentials), action), **{field: parameters[field]})

    def _from_error(self, env: Any, ex: Exception) -> Any:
        if not isinstance(ex, ClientError):
            return super()._from_error(env=env, ex=ex)
        code = ex.response["Error"]["Code"]
        metadata = ex.response["ResponseMetadata"]
        name = f"SageMaker.{code}Exception" if code in OWN_ERRORS else "SageMaker.AmazonSageMakerException"
        cause = (
            f"{ex.response['Error']['Message']} (Service: AmazonSageMaker; Status Code: {metadata['HTTPStatusCode']}; "
            f"Error Code: {code}; Request ID: {metadata.get('RequestId')}; Proxy: null)"
        )
        return self._failure(env, CustomErrorName(name), cause)

    def _failure(self, env: Any, error: Any, cause: str) -> FailureEvent:
        details = TaskFailedEventDetails(
            resource=self._get_sfn_resource(),
            resourceType=self._get_sfn_resource_type(),
            error=error.error_name,
            cause=cause,
        )
        return FailureEvent(
            env=env,
            error_name=error,
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),  # type: ignore[typeddict-item] # one of many
        )
