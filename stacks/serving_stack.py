"""Serving: model, endpoint, scaling and the API in one stack.

Across stacks the old endpoint would be gone before the API is switched to the new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, CfnParameter, Stack, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from config.model import Model
from config.settings import Settings, Variant
from config.sleep import Sleep
from stacks.constructs.asleep_api import AsleepApi
from stacks.constructs.autoscaled_endpoint import AutoscaledEndpoint, answering
from stacks.constructs.captured_data import capture_into
from stacks.constructs.endpoint_state import EndpointState
from stacks.constructs.hosted_model import HostedModel
from stacks.constructs.images import WITH_GPU
from stacks.constructs.inference_api import InferenceApi
from stacks.constructs.model_container import Container, pretrained_container, trained_container
from stacks.constructs.protection import Protection
from stacks.constructs.rollback_alarms import watch_statement
from stacks.constructs.rollout import BOOTSTRAP_VERSION
from stacks.constructs.serving_image import ServingImage
from stacks.constructs.sleep_schedule import SleepSchedule
from stacks.naming import Naming


class ServingStack(Stack):
    """Serves the model that was approved last, or one that was brought along.

    Parameters
    ----------
    root : Path
        Folder that local paths of pre-trained models are relative to.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        settings: Settings,
        bucket: s3.IBucket,
        protection: Protection,
        root: Path,
        **stack: Any,
    ) -> None:
        super().__init__(scope, construct_id, **stack)
        self._settings = settings
        self._bucket = bucket
        self._protection = protection
        self._root = root
        self._hosted: dict[tuple[str, bool], HostedModel] = {}
        self._naming = naming
        self._approved = self._approved_model() if settings.trains else None
        self._serving_image = ServingImage(self, "ServingImage") if settings.needs_own_container else None
        variants = settings.endpoint.variants
        models = {variant.name: self._host(variant) for variant in variants}
        state = EndpointState(self, "State") if settings.endpoint.sleep else None
        endpoint = self._endpoint(models, state)
        api = self._api(endpoint, state)
        if settings.endpoint.sleep:
            self._add_schedule(settings.endpoint.sleep, endpoint.name)
        main = next(models[variant.name] for variant in variants if variant.model is None)
        self._publish(endpoint, main.container.model_data_url, state)
        CfnOutput(self, "ApiUrl", value=api.url)
        CfnOutput(self, "ApiId", value=api.rest_api_id)
        CfnOutput(self, "EndpointName", value=endpoint.name)

    def _endpoint(self, models: Mapping[str, HostedModel], state: EndpointState | None) -> AutoscaledEndpoint:
        settings = self._settings
        variants = settings.endpoint.variants
        endpoint = AutoscaledEndpoint(
            self,
            "Endpoint",
            naming=self._naming,
            models={name: hosted.model for name, hosted in models.items()},
            variants=variants,
            scaling={variant.name: settings.scaling_of(variant) for variant in variants},
            deployment=settings.endpoint.deployment,
            data_capture=self._capture(),
            state=state,
        )
        self._protection.endpoint_config(endpoint.config, [variant.instance_type for variant in variants])
        return endpoint

    def _api(self, endpoint: AutoscaledEndpoint, state: EndpointState | None) -> apigateway.RestApi:
        settings = self._settings
        inference = InferenceApi(
            self,
            "Inference",
            naming=self._naming,
            endpoint_name=endpoint.name,
            settings=settings.api,
            with_predictions=settings.has_predictions,
            most_instances=sum(settings.scaling_of(variant).max_capacity for variant in settings.endpoint.variants),
            keep_users=settings.project.retain_data,
            protection=self._protection,
        )
        if state:
            AsleepApi(self, "AsleepApi", api=inference.api, state=state, endpoint=endpoint.endpoint)
            inference.follow(state.choose(endpoint.endpoint.attr_endpoint_name, endpoint.name))
        else:
            inference.node.add_dependency(endpoint.endpoint)
        return inference.api

    def _capture(self) -> sagemaker.CfnEndpointConfig.DataCaptureConfigProperty | None:
        wanted = self._settings.endpoint.data_capture
        if not wanted:
            return None
        roles = [each.role for each in self._hosted.values()]
        for role in roles:
            self._protection.let_use_key(role, "GenerateDataKey")
        return capture_into(self._bucket, wanted, roles)

    def _approved_model(self) -> str:
        parameter = CfnParameter(
            self,
            "ApprovedModel",
            type="AWS::SSM::Parameter::Value<String>",
            default=self._naming.approved_model_parameter,
            description="S3 URI of the approved model; CloudFormation reads it anew at every update.",
        )
        return parameter.value_as_string

    def _host(self, variant: Variant) -> HostedModel:
        """Return the model of a variant; variants share one where model and kind of processor are the same."""
        model = self._settings.model_of(variant)
        key = (model.model_dump_json(), bool(WITH_GPU.match(variant.instance_type)))
        if key not in self._hosted:
            is_main = variant.model is None and not any(settings == key[0] for settings, _ in self._hosted)
            self._hosted[key] = HostedModel(
                self,
                "Hosted" if is_main else f"{variant.name}Hosted",
                container=lambda scope: self._container(scope, model, variant.instance_type),
                network_isolation=self._settings.is_isolated(model),
                statements=self._watching(),
            )
            self._protection.model(self._hosted[key])
        return self._hosted[key]

    def _watching(self) -> list[iam.PolicyStatement]:
        """Return what lets SageMaker look at the alarms of an update."""
        endpoint = self._settings.endpoint
        if not endpoint.deployment.bakes:
            return []
        return [watch_statement(self, self._naming.endpoint(endpoint.variants), answering(endpoint.variants))]

    def _container(self, scope: Construct, model: Model, instance_type: str) -> Container:
        serving = self._serving_image if self._settings.in_own_container(model) else None
        if model.source == "train":
            assert self._approved, "a stack that trains has the parameter of the approved model"
            return trained_container(
                scope,
                model=model,
                training=self._settings.training,
                instance_type=instance_type,
                approved=self._approved,
                bucket=self._bucket,
                serving=serving,
            )
        return pretrained_container(scope, model=model, instance_type=instance_type, root=self._root, serving=serving)

    def _add_schedule(self, sleep: Sleep, endpoint_name: str) -> None:
        if not (sleep.sleep_at or sleep.wake_at):
            return
        names = [BOOTSTRAP_VERSION, *([self._naming.approved_model_parameter.lstrip("/")] if self._approved else [])]
        SleepSchedule(
            self,
            "SleepSchedule",
            settings=sleep,
            endpoint_name=endpoint_name,
            variants=answering(self._settings.endpoint.variants),
            read_parameters=[
                self.format_arn(service="ssm", resource="parameter", resource_name=name) for name in names
            ],
        )

    def _publish(self, endpoint: AutoscaledEndpoint, model_data_url: str, state: EndpointState | None) -> None:
        """Write what is served where others read it, once it really is served; asleep, what will be served."""
        name = ssm.StringParameter(
            self,
            "EndpointNameParameter",
            parameter_name=self._naming.endpoint_name_parameter,
            string_value=endpoint.name,
        )
        served = ssm.StringParameter(
            self,
            "ServedModelParameter",
            parameter_name=self._naming.served_model_parameter,
            string_value=model_data_url,
        )
        for parameter in (name, served):
            if state:  # what exists only while awake cannot be depended on, but its attribute can be chosen
                resource = parameter.node.default_child
                assert isinstance(resource, ssm.CfnParameter)
                served_config = endpoint.served_config.get_att_string("EndpointConfigName")
                resource.description = Token.as_string(state.choose(served_config, "asleep"))
            else:
                parameter.node.add_dependency(endpoint.served_config)
