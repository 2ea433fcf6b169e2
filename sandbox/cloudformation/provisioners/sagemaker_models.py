"""SageMaker: what is described once and never changed, only replaced."""

from __future__ import annotations

from typing import ClassVar

from sandbox.cloudformation.provisioner import Outcome, Provisioner, Request, provisions


class _Described(Provisioner):
    """A resource with one name, one Create and one Delete operation; only its tags change in place."""

    updated_in_place = frozenset()
    noun: ClassVar[str]  # as in create_<noun>
    name_property: ClassVar[str]  # the template's
    arn_member: ClassVar[str]  # the answer's
    name_attribute: ClassVar[str]  # GetAtt's

    def create(self, request: Request) -> Outcome:
        """Create it; a name in use fails."""
        name = request.physical_name(self.name_property)
        made = request.call_with_all("sagemaker", f"create_{self.noun}", **{self.name_property: name})
        return Outcome(made[self.arn_member], {self.name_attribute: name})

    def update(self, request: Request) -> Outcome:
        """Put the tags."""
        set_tags(request)
        return Outcome(request.physical_id, {self.name_attribute: _name(request)})

    def delete(self, request: Request) -> None:
        """Delete it."""
        request.call("sagemaker", f"delete_{self.noun}", **{self.name_property: _name(request)})


def _name(request: Request) -> str:
    return request.physical_id.rsplit("/", 1)[1]


def set_tags(request: Request) -> None:
    """Make the tags of a SageMaker resource, whose physical id is its ARN, what the properties say."""
    kept = {tag["Key"] for tag in request.properties.get("Tags", [])}
    gone = [tag["Key"] for tag in request.old_properties.get("Tags", []) if tag["Key"] not in kept]
    if gone:
        request.call("sagemaker", "delete_tags", ResourceArn=request.physical_id, TagKeys=gone)
    if kept:
        request.call("sagemaker", "add_tags", "Tags", ResourceArn=request.physical_id)


@provisions("AWS::SageMaker::Model")
class Model(_Described):
    """A model: image, artifact, role."""

    replaced_by = frozenset(
        {"Containers", "EnableNetworkIsolation", "ExecutionRoleArn", "InferenceExecutionConfig", "ModelName"}
        | {"PrimaryContainer", "VpcConfig"}
    )
    noun = "model"
    name_property = "ModelName"
    arn_member = "ModelArn"
    name_attribute = "ModelName"


@provisions("AWS::SageMaker::EndpointConfig")
class EndpointConfig(_Described):
    """An endpoint configuration, which an endpoint may use."""

    replaced_by = frozenset(
        {"AsyncInferenceConfig", "DataCaptureConfig", "EnableNetworkIsolation", "EndpointConfigName"}
        | {"ExecutionRoleArn", "ExplainerConfig", "KmsKeyId", "MetricsConfig", "ProductionVariants"}
        | {"ShadowProductionVariants", "VpcConfig"}
    )
    noun = "endpoint_config"
    name_property = "EndpointConfigName"
    arn_member = "EndpointConfigArn"
    name_attribute = "EndpointConfigName"


@provisions("AWS::SageMaker::ModelPackageGroup")
class ModelPackageGroup(_Described):
    """A group of model packages."""

    replaced_by = frozenset({"ModelPackageGroupDescription", "ModelPackageGroupName"})
    noun = "model_package_group"
    name_property = "ModelPackageGroupName"
    arn_member = "ModelPackageGroupArn"
    name_attribute = "ModelPackageGroupName"

    def create(self, request: Request) -> Outcome:
        """CreateModelPackageGroup, whose attributes AWS names by the ARN."""
        made = super().create(request)
        return Outcome(made.physical_id, {"ModelPackageGroupArn": made.physical_id})

    def update(self, request: Request) -> Outcome:
        """Put the tags."""
        set_tags(request)
        return Outcome(request.physical_id, {"ModelPackageGroupArn": request.physical_id})


@provisions("AWS::SageMaker::ModelPackage")
class ModelPackage(Provisioner):
    """A version in a model package group; its approval changes in place."""

    replaced_by = frozenset(
        {"ClientToken", "Domain", "DriftCheckBaselines", "InferenceSpecification", "MetadataProperties"}
        | {"ModelMetrics", "ModelPackageDescription", "ModelPackageGroupName", "SamplePayloadUrl", "SecurityConfig"}
        | {"SourceAlgorithmSpecification", "Task", "ValidationSpecification"}
    )
    updated_in_place = frozenset({"ModelApprovalStatus", "ApprovalDescription"})

    def create(self, request: Request) -> Outcome:
        """CreateModelPackage."""
        arn = request.call_with_all("sagemaker", "create_model_package")["ModelPackageArn"]
        return self._outcome(request, arn)

    def update(self, request: Request) -> Outcome:
        """UpdateModelPackage."""
        changed = ("ModelApprovalStatus", "ApprovalDescription")
        request.call("sagemaker", "update_model_package", *changed, ModelPackageArn=request.physical_id)
        return self._outcome(request, request.physical_id)

    def delete(self, request: Request) -> None:
        """DeleteModelPackage."""
        request.call("sagemaker", "delete_model_package", ModelPackageName=request.physical_id)

    def _outcome(self, request: Request, arn: str) -> Outcome:
        found = request.client("sagemaker").describe_model_package(ModelPackageName=arn)
        members = ("ModelPackageStatus", "ModelPackageName", "CreationTime")
        attributes = {name: str(found[name]) for name in members if name in found}
        return Outcome(arn, {"ModelPackageArn": arn, **attributes})


@provisions("AWS::SageMaker::NotebookInstanceLifecycleConfig")
class LifecycleConfig(Provisioner):
    """The scripts of a notebook instance."""

    replaced_by = frozenset({"NotebookInstanceLifecycleConfigName"})
    inert = "no notebook instance runs it"

    def create(self, request: Request) -> Outcome:
        """CreateNotebookInstanceLifecycleConfig."""
        name = request.physical_name("NotebookInstanceLifecycleConfigName")
        made = request.call_with_all(
            "sagemaker", "create_notebook_instance_lifecycle_config", NotebookInstanceLifecycleConfigName=name
        )
        return Outcome(made["NotebookInstanceLifecycleConfigArn"], {"NotebookInstanceLifecycleConfigName": name})

    def update(self, request: Request) -> Outcome:
        """Delete and create again: moto has no UpdateNotebookInstanceLifecycleConfig."""
        self.delete(request)
        name = _name(request)
        request.call_with_all(
            "sagemaker", "create_notebook_instance_lifecycle_config", NotebookInstanceLifecycleConfigName=name
        )
        return Outcome(request.physical_id, {"NotebookInstanceLifecycleConfigName": name})

    def delete(self, request: Request) -> None:
        """DeleteNotebookInstanceLifecycleConfig."""
        request.call(
            "sagemaker",
            "delete_notebook_instance_lifecycle_config",
            NotebookInstanceLifecycleConfigName=_name(request),
        )


@provisions("AWS::SageMaker::NotebookInstance")
class NotebookInstance(Provisioner):
    """A notebook instance."""

    replaced_by = frozenset(
        {"DirectInternetAccess", "KmsKeyId", "NotebookInstanceName", "PlatformIdentifier", "SecurityGroupIds"}
        | {"SubnetId"}
    )
    updated_in_place = frozenset()
    inert = "no notebook server runs"

    def create(self, request: Request) -> Outcome:
        """CreateNotebookInstance."""
        name = request.physical_name("NotebookInstanceName")
        made = request.call_with_all("sagemaker", "create_notebook_instance", NotebookInstanceName=name)
        return Outcome(made["NotebookInstanceArn"], {"NotebookInstanceName": name})

    def update(self, request: Request) -> Outcome:
        """Put the tags."""
        set_tags(request)
        return Outcome(request.physical_id, {"NotebookInstanceName": _name(request)})

    def delete(self, request: Request) -> None:
        """StopNotebookInstance, then DeleteNotebookInstance."""
        name = _name(request)
        request.call("sagemaker", "stop_notebook_instance", NotebookInstanceName=name)
        request.call("sagemaker", "delete_notebook_instance", NotebookInstanceName=name)
