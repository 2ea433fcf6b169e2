"""Names of parameters and answers: PascalCase in a state machine, whatever the service's API has.

moto carries the conversion but does not call it, so that ``StateMachineArn`` reaches a service that knows only
``stateMachineArn``.
"""

from __future__ import annotations

from typing import Any

from sandbox.workflows.clients import client_for
from sandbox.workflows.values import to_json_values


def normalise_parameters(
    task: Any, parameters: dict[str, Any], boto_service_name: str | None = None, service_action_name: str | None = None
) -> None:
    """Rename `parameters` in place to the service's own names, and turn values into strings where it wants strings."""
    operation = _operation(task, boto_service_name, service_action_name)
    if operation is not None and operation.input_shape is not None:
        task._to_boto_request(parameters, operation.input_shape)


def normalise_response(
    task: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
) -> None:
    """Rename the service's `response` in place to PascalCase, and make it plain JSON."""
    operation = _operation(task, boto_service_name, service_action_name)
    if not isinstance(response, dict):
        return
    if operation is not None and operation.output_shape is not None:
        task._from_boto_response(response, operation.output_shape)
    response.update(to_json_values(response))


def _operation(task: Any, boto_service_name: str | None, service_action_name: str | None) -> Any | None:
    """Return boto3's model of the action; None if there is none, which calling it will tell better."""
    client = client_for(task._get_boto_service_name(boto_service_name))
    name = client.meta.method_to_api_mapping.get(task._get_boto_service_action(service_action_name))
    return client.meta.service_model.operation_model(name) if name else None
