"""Serving: model, endpoint, scaling and the API in one stack.

Across stacks the old endpoint would be gone before the API is switched to the new one.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, CfnParameter, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from config.settings import Settings
from stacks.constructs.autoscaled_endpoint import AutoscaledEndpoint
from stacks.constructs.hosted_model import HostedModel
from stacks.constructs.inference_api import InferenceApi
from stacks.naming import Naming


class ServingStack(Stack):
    """Serves the model that was approved last."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        settings: Settings,
        bucket: s3.IBucket,
        **stack: Any,
    ) -> None:
        super().__init__(scope, construct_id, **stack)
        approved = CfnParameter(
            self,
            "ApprovedModel",
            type="AWS::SSM::Parameter::Value<String>",
            default=naming.approved_model_parameter,
            description="S3 URI of the approved model; CloudFormation reads it anew at every update.",
        )
        hosted = HostedModel(
            self,
            "Hosted",
            image="linear-learner",
            model_data_url=approved.value_as_string,
            bucket=bucket,
            environment=settings.model.environment,
            network_isolation=settings.model.network_isolation,
        )
        variants = settings.endpoint.variants
        scaling = {variant.name: settings.scaling_of(variant) for variant in variants}
        endpoint = AutoscaledEndpoint(
            self, "Endpoint", naming=naming, model=hosted.model, variants=variants, scaling=scaling
        )
        api = InferenceApi(
            self,
            "Inference",
            naming=naming,
            endpoint_name=endpoint.name,
            settings=settings.api,
            with_predictions=True,
            most_instances=sum(bounds.max_capacity for bounds in scaling.values()),
            keep_users=settings.project.retain_data,
        )
        api.node.add_dependency(endpoint.endpoint)
        self._publish(naming, endpoint, approved.value_as_string)
        CfnOutput(self, "ApiUrl", value=api.api.url)
        CfnOutput(self, "ApiId", value=api.api.rest_api_id)
        CfnOutput(self, "EndpointName", value=endpoint.name)

    def _publish(self, naming: Naming, endpoint: AutoscaledEndpoint, model_data_url: str) -> None:
        """Write what is served where others read it, once it really is served."""
        name = ssm.StringParameter(
            self, "EndpointNameParameter", parameter_name=naming.endpoint_name_parameter, string_value=endpoint.name
        )
        served = ssm.StringParameter(
            self, "ServedModelParameter", parameter_name=naming.served_model_parameter, string_value=model_data_url
        )
        for parameter in (name, served):
            parameter.node.add_dependency(endpoint.served_config)
