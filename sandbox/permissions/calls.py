"""What a request means to IAM: the actions it takes and the ARNs it takes them on.

Most services follow one rule: the action is the operation's name, and a parameter names the resource. What does not is
written out here. A request whose resource no rule knows is a call on ``*``, which only a policy for ``*`` allows.

References
----------
Service Authorization Reference, the pages of the services named here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.permissions.policy import Call

Parameters = Mapping[str, Any]

_PREFIXES = {"stepfunctions": "states", "awslambda": "lambda"}  # moto's name: IAM's
_OPERATIONS = {  # operations that IAM knows by another name
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:HeadBucket": "s3:ListBucket",
}
_ARN_PARAMETERS = {  # parameters that hold the resource's ARN
    "states": ("stateMachineArn", "executionArn"),
    "sns": ("TopicArn", "TargetArn"),
    "sagemaker": ("ResourceArn", "ModelPackageName"),
    "kms": ("KeyId",),
}
_NAMED = {  # parameters that hold the resource's name: what stands in front of it in the ARN
    "sagemaker": {
        "ProcessingJobName": "processing-job/",
        "TrainingJobName": "training-job/",
        "HyperParameterTuningJobName": "hyper-parameter-tuning-job/",
        "ModelName": "model/",
        "EndpointConfigName": "endpoint-config/",
        "EndpointName": "endpoint/",
        "ModelPackageGroupName": "model-package-group/",
        "NotebookInstanceName": "notebook-instance/",
    },
    "lambda": {"FunctionName": "function:"},
    "ssm": {"Name": "parameter/", "Names": "parameter/"},
    "cloudformation": {"StackName": "stack/"},
    "events": {"Rule": "rule/"},
    "scheduler": {"Name": "schedule/"},
    "cloudwatch": {"AlarmNames": "alarm:"},
}
_EVENT_RULES = {"PutRule", "DescribeRule", "EnableRule", "DisableRule", "DeleteRule"}
_PASSED_TO = {"states": "states.amazonaws.com", "events": "events.amazonaws.com"}
_ROLE_PARAMETER = re.compile(r"role(arn)?$", re.IGNORECASE)
_PASSING = ("Create", "Update", "Put", "Start")


def calls_of(service: str, operation: str, parameters: Parameters, *, region: str, account_id: str) -> list[Call]:
    """Return the calls that one request makes, in IAM's terms.

    Parameters
    ----------
    service, operation : str
        moto's name of the service, AWS's of the operation.
    parameters : mapping
        The operation's, as boto3 takes them. Of S3 see `s3_call`.
    """
    prefix = _PREFIXES.get(service, service)
    action = _OPERATIONS.get(f"{prefix}:{operation}", f"{prefix}:{operation}")
    where = f"arn:aws:{prefix}:{region}:{account_id}:"
    if prefix == "cloudwatch" and operation == "PutMetricData":
        return [Call(action, "*", (("cloudwatch:namespace", str(parameters["Namespace"])),))]
    if prefix == "logs":
        return [Call(action, _log_resource(where, operation, parameters))]
    resources = list(_resources(prefix, operation, parameters, where)) or ["*"]
    calls = [Call(action, resource) for resource in resources]
    if prefix == "sagemaker" and operation.startswith("Create") and parameters.get("Tags"):
        calls += [Call("sagemaker:AddTags", resource) for resource in resources]
    if operation.startswith(_PASSING):
        context = (("iam:PassedToService", _PASSED_TO.get(prefix, f"{prefix}.amazonaws.com")),)
        calls += [Call("iam:PassRole", role, context) for role in sorted(set(_roles(parameters)))]
    return calls


def s3_call(action: str, bucket: str, key: str) -> Call:
    """Return the call of an action of S3, named as moto names it, on an object, or with an empty key on the bucket."""
    return Call(_OPERATIONS.get(f"s3:{action}", f"s3:{action}"), f"arn:aws:s3:::{bucket}{'/' * bool(key)}{key}")


def _resources(prefix: str, operation: str, parameters: Parameters, where: str) -> Iterator[str]:
    for name in _ARN_PARAMETERS.get(prefix, ()):
        if str(parameters.get(name, "")).startswith("arn:"):
            yield str(parameters[name])
    if prefix == "events" and operation in _EVENT_RULES:
        yield f"{where}rule/{parameters['Name']}"
    if operation == "CreateModelPackage":
        yield f"{where}model-package/{parameters.get('ModelPackageGroupName') or parameters['ModelPackageName']}/*"
        return
    for name, kind in _NAMED.get(prefix, {}).items():
        value = parameters.get(name)
        for each in value if isinstance(value, list) else [value] if value else []:
            yield _named(where, prefix, kind, str(each), parameters)


def _named(where: str, prefix: str, kind: str, name: str, parameters: Parameters) -> str:
    if name.startswith("arn:"):
        return name
    if prefix == "cloudformation":
        return f"{where}{kind}{name}/*"  # whatever the id of the stack of this name
    if prefix == "scheduler":
        return f"{where}{kind}{parameters.get('GroupName', 'default')}/{name}"
    return f"{where}{kind}{name.lstrip('/')}"


def _log_resource(where: str, operation: str, parameters: Parameters) -> str:
    """Return the ARN that AccessDenied names for CloudWatch Logs: a stream, or a group with an empty one."""
    stream = parameters.get("logStreamName", "") if operation == "PutLogEvents" else ""
    return f"{where}log-group:{parameters.get('logGroupName', '')}:log-stream:{stream}"


def _roles(parameters: Any) -> Iterator[str]:
    """Yield every role that a request names as a role to take: its caller passes it."""
    if isinstance(parameters, list):
        for item in parameters:
            yield from _roles(item)
    elif isinstance(parameters, Mapping):
        for name, value in parameters.items():
            if isinstance(value, str) and _ROLE_PARAMETER.search(name) and ":role/" in value:
                yield value
            else:
                yield from _roles(value)
