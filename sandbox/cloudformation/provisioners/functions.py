"""Lambda functions; their code must be in S3 or in the template."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from sandbox.cloudformation.provisioner import Outcome, Provisioner, ProvisioningError, Request, provisions

_CONFIGURATION = frozenset(
    {"DeadLetterConfig", "Description", "Environment", "EphemeralStorage", "Handler", "KmsKeyArn", "Layers"}
    | {"LoggingConfig", "MemorySize", "Role", "Runtime", "Timeout", "TracingConfig", "VpcConfig"}
)


@provisions("AWS::Lambda::Function")
class Function(Provisioner):
    """A function; code and configuration change in place."""

    replaced_by = frozenset({"FunctionName", "PackageType", "TenancyConfig"})
    updated_in_place = _CONFIGURATION | {"Architectures", "Code", "ReservedConcurrentExecutions", "Tags"}

    def create(self, request: Request) -> Outcome:
        """CreateFunction."""
        name = request.physical_name("FunctionName", longest=64)
        left_out = ("FunctionName", "Code", "ReservedConcurrentExecutions")
        arguments = {"FunctionName": name, "Code": _code(request)}
        made = request.call_with_all("lambda", "create_function", *left_out, **arguments)
        return self._set_concurrency(request, name, made["FunctionArn"])

    def update(self, request: Request) -> Outcome:
        """UpdateFunctionCode and UpdateFunctionConfiguration, each if its part changed."""
        name = request.physical_id
        if request.changed("Code", "Architectures"):
            request.call("lambda", "update_function_code", "Architectures", FunctionName=name, **_code(request))
        if request.changed(*_CONFIGURATION):
            # What the template no longer names goes back to its default.
            removed = request.old_properties.keys() & _CONFIGURATION - request.properties.keys()
            defaults = {key: _DEFAULTS[key] for key in removed if key in _DEFAULTS}
            request.call("lambda", "update_function_configuration", *_CONFIGURATION, FunctionName=name, **defaults)
        arn = request.client("lambda").get_function_configuration(FunctionName=name)["FunctionArn"]
        if request.changed("Tags") and request.properties.get("Tags"):
            request.call("lambda", "tag_resource", "Tags", Resource=arn)
        return self._set_concurrency(request, name, arn)

    def delete(self, request: Request) -> None:
        """DeleteFunction."""
        request.call("lambda", "delete_function", FunctionName=request.physical_id)

    def _set_concurrency(self, request: Request, name: str, arn: str) -> Outcome:
        if request.changed("ReservedConcurrentExecutions"):
            if "ReservedConcurrentExecutions" in request.properties:
                request.call("lambda", "put_function_concurrency", "ReservedConcurrentExecutions", FunctionName=name)
            else:
                request.call("lambda", "delete_function_concurrency", FunctionName=name)
        return Outcome(name, {"Arn": arn})


_DEFAULTS: dict[str, Any] = {
    "Description": "",
    "Environment": {"Variables": {}},
    "Layers": [],
    "MemorySize": 128,
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
}


def _code(request: Request) -> dict[str, Any]:
    code = dict(request.properties["Code"])
    if "ZipFile" in code:
        code["ZipFile"] = _inline_archive(code["ZipFile"], str(request.properties["Runtime"]))
    elif "S3Key" in code:
        _check_archive(request, code)
    return code


def _check_archive(request: Request, code: Mapping[str, Any]) -> None:
    """Refuse code that is not in S3: moto would make a function without any."""
    version = {"VersionId": code["S3ObjectVersion"]} if "S3ObjectVersion" in code else {}
    try:
        request.client("s3").head_object(Bucket=code["S3Bucket"], Key=code["S3Key"], **version)
    except ClientError as error:
        place = f"s3://{code['S3Bucket']}/{code['S3Key']}"
        raise ProvisioningError(f"Error occurred while GetObject. S3 Error Code: NoSuchKey ({place})") from error


def _inline_archive(text: str, runtime: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py" if runtime.startswith("python") else "index.js", text)
    return content.getvalue()


@provisions("AWS::Lambda::Permission")
class Permission(Provisioner):
    """A statement in the policy of a function."""

    def create(self, request: Request) -> Outcome:
        """AddPermission."""
        statement_id = f"{request.stack_name}-{request.logical_id}-{uuid.uuid4().hex[:12]}"
        request.call_with_all("lambda", "add_permission", StatementId=statement_id)
        return Outcome(statement_id, {"Id": statement_id})

    def delete(self, request: Request) -> None:
        """RemovePermission."""
        request.call("lambda", "remove_permission", "FunctionName", StatementId=request.physical_id)


@provisions("AWS::Lambda::Version")
class Version(Provisioner):
    """A published version."""

    def create(self, request: Request) -> Outcome:
        """PublishVersion."""
        made = request.call_with_all("lambda", "publish_version")
        return Outcome(made["FunctionArn"], {"Version": made["Version"], "FunctionArn": made["FunctionArn"]})

    def delete(self, request: Request) -> None:
        """DeleteFunction with the version's qualifier."""
        request.call("lambda", "delete_function", FunctionName=request.physical_id)


@provisions("AWS::Lambda::Alias")
class Alias(Provisioner):
    """An alias of a version."""

    replaced_by = frozenset({"FunctionName", "Name"})

    def create(self, request: Request) -> Outcome:
        """CreateAlias."""
        arn = request.call_with_all("lambda", "create_alias")["AliasArn"]
        return Outcome(arn, {"AliasArn": arn})

    def update(self, request: Request) -> Outcome:
        """UpdateAlias."""
        arn = request.call_with_all("lambda", "update_alias")["AliasArn"]
        return Outcome(arn, {"AliasArn": arn})

    def delete(self, request: Request) -> None:
        """DeleteAlias."""
        request.call("lambda", "delete_alias", "FunctionName", "Name")


@provisions("AWS::Lambda::EventInvokeConfig")
class EventInvokeConfig(Provisioner):
    """How asynchronous invocations are retried."""

    replaced_by = frozenset({"FunctionName", "Qualifier"})

    def create(self, request: Request) -> Outcome:
        """PutFunctionEventInvokeConfig."""
        request.call_with_all("lambda", "put_function_event_invoke_config", "Qualifier")
        return Outcome(f"{request.properties['FunctionName']}|{request.properties['Qualifier']}")

    def update(self, request: Request) -> Outcome:
        """PutFunctionEventInvokeConfig, which replaces the whole configuration."""
        return self.create(request)

    def delete(self, request: Request) -> None:
        """DeleteFunctionEventInvokeConfig."""
        request.call("lambda", "delete_function_event_invoke_config", "FunctionName")


@provisions("AWS::Lambda::LayerVersion")
class LayerVersion(Provisioner):
    """A version of a layer."""

    def create(self, request: Request) -> Outcome:
        """PublishLayerVersion."""
        name = request.physical_name("LayerName", longest=140)
        arn = request.call_with_all("lambda", "publish_layer_version", "LayerName", LayerName=name)["LayerVersionArn"]
        return Outcome(arn, {"LayerVersionArn": arn})

    def delete(self, request: Request) -> None:
        """DeleteLayerVersion."""
        *_, name, version = request.physical_id.split(":")
        request.call("lambda", "delete_layer_version", LayerName=name, VersionNumber=version)
