"""Models and endpoint configurations: what was asked for, unchangeable afterwards, and the checks before it is kept."""

from __future__ import annotations

from typing import Any

from moto.core.utils import get_service_model, utcnow
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.utils import arn_formatter

from sandbox.sagemaker.images import hosting_image
from sandbox.sagemaker.requests import Only, Request, check_name, refuse_unsupported

MODEL_UNSUPPORTED = (
    Only("Containers"),
    Only("InferenceExecutionConfig"),
    Only("PrimaryContainer.Mode", ("SingleModel",)),
    Only("PrimaryContainer.ModelDataSource"),
    Only("PrimaryContainer.ModelPackageName"),
    Only("PrimaryContainer.MultiModelConfig"),
    Only("PrimaryContainer.AdditionalModelDataSources"),
)
ENDPOINT_CONFIG_UNSUPPORTED = (
    Only("AsyncInferenceConfig"),
    Only("ExplainerConfig"),
    Only("ShadowProductionVariants[].ServerlessConfig"),
    Only("ProductionVariants[].ServerlessConfig"),
    Only("ProductionVariants[].ManagedInstanceScaling"),
    Only("ProductionVariants[].AcceleratorType"),
    Only("ProductionVariants[].InferenceAmiVersion"),
)


SHADOW = "Shadow"  # marks a variant that came as ShadowProductionVariant


class Resource:
    """Something that is described by the request that made it.

    Parameters
    ----------
    request : dict
        Parameters of the Create call.
    account_id, region_name : str
        Owner, for the ARN.
    """

    kind: str  # "Model": prefix of AWS's field names
    arn_type: str

    def __init__(self, request: Request, account_id: str, region_name: str) -> None:
        self.tags: list[dict[str, str]] = list(request.get("Tags") or [])
        self.request = {name: value for name, value in request.items() if name != "Tags" and value is not None}
        self.name: str = request[f"{self.kind}Name"]
        self.arn = arn_formatter(self.arn_type, self.name, account_id, region_name)
        self.creation_time = utcnow()

    @property
    def response_object(self) -> dict[str, Any]:
        """The answer of Describe*, and an entry of moto's List*."""
        return {**self.request, f"{self.kind}Arn": self.arn, "CreationTime": self.creation_time}


class Model(Resource):
    """A model: an image, an artifact, an environment."""

    kind, arn_type = "Model", "model"

    @property
    def container(self) -> dict[str, Any]:
        """Its one container definition."""
        container: dict[str, Any] = self.request["PrimaryContainer"]
        return container


class EndpointConfig(Resource):
    """An endpoint configuration: variants and how many instances each begins with."""

    kind, arn_type = "EndpointConfig", "endpoint-config"

    endpoint_config_name = property(lambda self: self.name)

    @property
    def variants(self) -> list[dict[str, Any]]:
        """Its ProductionVariants and its ShadowProductionVariants, the latter marked."""
        shadows = self.request.get("ShadowProductionVariants") or []
        return [*self.request["ProductionVariants"], *({**variant, SHADOW: True} for variant in shadows)]

    @property
    def data_capture(self) -> dict[str, Any] | None:
        """Its DataCaptureConfig, unless that is switched off."""
        capture: dict[str, Any] | None = self.request.get("DataCaptureConfig")
        return capture if capture and capture.get("EnableCapture", True) else None

    def summary(self) -> dict[str, Any]:
        """Return what ListEndpointConfigs shows."""
        return {
            "EndpointConfigName": self.name,
            "EndpointConfigArn": self.arn,
            "CreationTime": self.creation_time,
        }


def check_model(request: Request) -> None:
    """Refuse with a ValidationError what AWS or the sandbox could not host."""
    check_name("modelName", request["ModelName"])
    refuse_unsupported(request, MODEL_UNSUPPORTED)
    container = request.get("PrimaryContainer")
    if not container or not container.get("Image"):
        raise ValidationError("PrimaryContainer.Image is missing: a model needs one container with an image")
    hosting_image(container["Image"])


def check_endpoint_config(request: Request) -> None:
    """Refuse with a ValidationError what AWS or the sandbox could not host; names of models are not checked here."""
    check_name("endpointConfigName", request["EndpointConfigName"])
    refuse_unsupported(request, ENDPOINT_CONFIG_UNSUPPORTED)
    types = get_service_model("sagemaker").shape_for("ProductionVariantInstanceType").enum
    problems = []
    shadows = request.get("ShadowProductionVariants") or []
    if shadows and (len(shadows), len(request["ProductionVariants"])) != (1, 1):
        problems.append("a shadow variant needs exactly one production variant beside it, and no second shadow")
    for variant in (*request["ProductionVariants"], *shadows):
        instance_type, count = variant.get("InstanceType"), variant.get("InitialInstanceCount", 0)
        if instance_type not in types:
            problems.append(f"{variant['VariantName']}: Value '{instance_type}' at 'instanceType' is no instance type")
        if count < 1:
            problems.append(f"{variant['VariantName']}: InitialInstanceCount is {count}, at least 1 is needed")
    names = [variant["VariantName"] for variant in (*request["ProductionVariants"], *shadows)]
    if len(set(names)) != len(names):
        problems.append(f"variant names are not unique: {', '.join(names)}")
    if problems:
        raise ValidationError("; ".join(problems))
