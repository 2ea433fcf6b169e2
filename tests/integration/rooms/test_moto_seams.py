"""What the rooms replace in moto is there, under the name and with the parameters they rely on.

moto is pinned exactly. When the pin moves, this says which seam moved with it; the other tests say what broke. A fresh
interpreter looks, because this one may have the replacements already.
"""

from __future__ import annotations

import json
import subprocess
import sys

STEPS = "moto.stepfunctions.parser"
TASKS = f"{STEPS}.asl.component.state.exec.state_task"

SEAMS = {
    "moto.core.authorization:ActionAuthenticatorMixin._authenticate_and_authorize_action": [
        *("self", "iam_request_cls", "resource"),
    ],
    "moto.core.responses:BaseResponse.parse_parameters": ["self", "request"],
    "moto.s3.responses:S3Response.is_delete_keys": ["self"],
    "moto.sagemaker.models:sagemaker_backends.backend": ["region_name", "account_id"],
    "moto.sagemaker.responses:SageMakerResponse.dispatch": ["args", "kwargs"],
    "moto.awslambda.models:lambda_backends.backend": ["region_name", "account_id"],
    "moto.awslambda.models:LambdaFunction": ["account_id", "spec", "region", "version"],
    "moto.awslambda.models:LambdaFunction.invoke": ["self", "body", "request_headers", "response_headers"],
    "moto.awslambda.models:LambdaFunction.get_configuration": ["self", "on_create"],
    "moto.awslambda.models:LambdaFunction.update_configuration": ["self", "config_updates"],
    "moto.awslambda.models:LambdaBackend.create_function": ["self", "spec"],
    "moto.awslambda.models:LambdaBackend.delete_function": ["self", "function_name", "qualifier"],
    "moto.awslambda.responses:LambdaResponse.invoke": ["self"],
    "moto.stepfunctions.responses:get_backend": ["account", "region"],
    f"{STEPS}.asl.utils.boto_client:boto_client_for": ["region", "service", "state_credentials"],
    f"{STEPS}.asl.utils.json_path:extract_json": ["path", "data"],
    f"{STEPS}.asl.jsonata.jsonata:_eval_jsonata": "NoneType",
    f"{STEPS}.backend.execution:Execution.start": ["self"],
    f"{STEPS}.backend.execution:BaseExecutionWorkerCommunication.terminated": ["self"],
    f"{TASKS}.state_task_factory:state_task_service_for": ["service_name"],
    f"{TASKS}.service.state_task_service:StateTaskService._normalise_parameters": [
        *("self", "parameters", "boto_service_name", "service_action_name"),
    ],
    f"{TASKS}.service.state_task_service:StateTaskService._normalise_response": [
        *("self", "response", "boto_service_name", "service_action_name"),
    ],
    f"{TASKS}.service.state_task_service:StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES": "dict",
    f"{TASKS}.service.state_task_service_aws_sdk:_SERVICE_ERROR_NAMES": "dict",
    f"{TASKS}.service.state_task_service_callback:_DELAY_SECONDS_SYNC_CONDITION_CHECK": "float",
    f"{TASKS}.service.state_task_service_callback:StateTaskServiceCallback._eval_integration_pattern": [
        *("self", "env", "resource_runtime_part", "normalised_parameters", "state_credentials"),
    ],
    "moto.events.models:Rule.send_to_targets": ["self", "original_event", "transform_input"],
}

LOOK = """
import importlib, inspect, json, operator, sys
found = {}
for seam in json.load(sys.stdin):
    module, path = seam.split(":")
    try:
        value = operator.attrgetter(path)(importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        found[seam] = str(error)
        continue
    found[seam] = list(inspect.signature(value).parameters) if callable(value) else type(value).__name__
print(json.dumps(found))
"""


def test_moto_has_every_name_the_rooms_replace() -> None:
    looked = subprocess.run(
        [sys.executable, "-c", LOOK], input=json.dumps(list(SEAMS)), capture_output=True, text=True, check=True
    )
    assert json.loads(looked.stdout) == SEAMS
