"""An endpoint that keeps its size through updates, and scales."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from aws_cdk import CustomResource, Duration, Fn, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from autoscaling.policies import VariantScaling
from config.deployment import Strategy
from config.settings import Variant
from stacks.constructs.acknowledgements import acknowledge_wildcards
from stacks.constructs.deployment_config import deployment_config
from stacks.constructs.endpoint_state import EndpointState
from stacks.constructs.lambda_function import CustomResourceFunction
from stacks.constructs.rollback_alarms import RollbackAlarms
from stacks.constructs.scaling_policies import ScalingPolicies
from stacks.naming import Naming


class AutoscaledEndpoint(Construct):
    """Endpoint config, endpoint and scaling of the given variants.

    The endpoint keeps its live instance counts when it is updated; weights follow the settings. When variants or their
    instance types change it becomes a new endpoint, because AWS refuses that update under registered scaling; the new
    one starts as large as the old one has grown.

    Parameters
    ----------
    models : Mapping[str, CfnModel]
        What is served, by variant name.
    scaling : Mapping[str, VariantScaling]
        Bounds and policies by variant name.
    deployment : Strategy
        How an update moves traffic.
    data_capture : DataCaptureConfigProperty, optional
        What of requests and answers is kept, and where.
    state : EndpointState, optional
        Whether there is an endpoint at all; without it there always is one.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        models: Mapping[str, sagemaker.CfnModel],
        variants: tuple[Variant, ...],
        scaling: Mapping[str, VariantScaling],
        deployment: Strategy,
        data_capture: sagemaker.CfnEndpointConfig.DataCaptureConfigProperty | None = None,
        state: EndpointState | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._naming = naming
        self.name = naming.endpoint(variants)
        self.config = self._config(models, variants, self._fleet(variants, scaling), data_capture)
        self.endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=self.name,
            endpoint_config_name=self.config.attr_endpoint_config_name,
            deployment_config=deployment_config(deployment, self._alarms(deployment, variants)),
            retain_all_variant_properties=True,
            exclude_retained_variant_properties=[
                sagemaker.CfnEndpoint.VariantPropertyProperty(variant_property_type="DesiredWeight")
            ],
        )
        policies = [self._scaling(variant.name, scaling[variant.name]) for variant in variants]
        self.served_config = self._served_config()
        if state:
            for construct in (self.endpoint, *policies, self.served_config):
                state.only_while_awake(construct)

    def _config(
        self,
        models: Mapping[str, sagemaker.CfnModel],
        variants: tuple[Variant, ...],
        fleet: CustomResource,
        data_capture: sagemaker.CfnEndpointConfig.DataCaptureConfigProperty | None,
    ) -> sagemaker.CfnEndpointConfig:
        def described(*, shadow: bool) -> list[sagemaker.CfnEndpointConfig.ProductionVariantProperty]:
            return [
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=variant.name,
                    model_name=models[variant.name].attr_model_name,
                    instance_type=variant.instance_type,
                    initial_instance_count=Token.as_number(fleet.get_att(variant.name)),
                    initial_variant_weight=variant.initial_weight,
                )
                for variant in variants
                if variant.shadow is shadow
            ]

        return sagemaker.CfnEndpointConfig(
            self,
            "Config",
            production_variants=described(shadow=False),
            shadow_production_variants=described(shadow=True) or None,
            data_capture_config=data_capture,
        )

    def _scaling(self, variant_name: str, scaling: VariantScaling) -> ScalingPolicies:
        return ScalingPolicies(
            self,
            f"{variant_name}Scaling",
            endpoint=self.endpoint,
            endpoint_name=self.name,
            variant_name=variant_name,
            scaling=scaling,
        )

    def _alarms(self, deployment: Strategy, variants: tuple[Variant, ...]) -> RollbackAlarms | None:
        if not deployment.bakes:
            return None
        return RollbackAlarms(
            self,
            "Rollback",
            endpoint_name=self.name,
            endpoint_config_name=self.config.attr_endpoint_config_name,
            variants=answering(variants),
            bounds=deployment.rollback,
        )

    def _fleet(self, variants: tuple[Variant, ...], scaling: Mapping[str, VariantScaling]) -> CustomResource:
        """Return the resource that says how many instances a new endpoint starts with; a new one for each endpoint.

        It has no properties to change: the bounds are its function's, which is asked when there is a new endpoint only.
        Another answer would be another config, and so an update of instances for nothing but a raised min_capacity.
        """
        stack = Stack.of(self)
        parameter = self._naming.endpoint_name_parameter
        function = CustomResourceFunction(
            self,
            "EndpointFleet",
            source="endpoint_fleet",
            description="Says how many instances a new endpoint starts with.",
            environment={"ENDPOINT_NAME_PARAMETER": parameter, "VARIANTS": _bounds(variants, scaling)},
        )
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["ssm:GetParameter"],
                resources=[stack.format_arn(service="ssm", resource="parameter", resource_name=parameter.lstrip("/"))],
            )
        )
        function.add_to_role_policy(self._describe_statement())
        acknowledge_endpoints(function.execution_role, self._naming)
        fleet = CustomResource(
            self,
            f"Fleet{self._naming.variants_hash(variants)}",
            service_token=function.service_token,
            resource_type="Custom::Fleet",
            service_timeout=Duration.minutes(5),
        )
        fleet.node.add_dependency(function)
        return fleet

    def _served_config(self) -> CustomResource:
        function = CustomResourceFunction(
            self,
            "EndpointCheck",
            source="endpoint_check",
            description="Fails the deploy when the endpoint serves another config than the deployed one.",
        )
        function.add_to_role_policy(self._describe_statement())
        acknowledge_endpoints(function.execution_role, self._naming)
        check = CustomResource(
            self,
            "ServedConfig",
            service_token=function.service_token,
            resource_type="Custom::ServedConfig",
            properties={
                "EndpointName": Fn.get_att(self.endpoint.logical_id, "EndpointName"),
                "EndpointConfigName": self.config.attr_endpoint_config_name,
            },
            service_timeout=Duration.minutes(5),
        )
        check.node.add_dependency(function, self.endpoint)
        return check

    def _describe_statement(self) -> iam.PolicyStatement:
        """Return what describing any endpoint of this environment takes: predecessors have other names."""
        arn = endpoints_arn(self, self._naming)
        return iam.PolicyStatement(actions=["sagemaker:DescribeEndpoint"], resources=[arn])


def _bounds(variants: Iterable[Variant], scaling: Mapping[str, VariantScaling]) -> str:
    """Return as JSON, by variant, with how many instances a first endpoint starts, and the most any may have."""
    bounds = {
        variant.name: {
            "initial_instance_count": max(variant.initial_instance_count, scaling[variant.name].min_capacity),
            "max_capacity": scaling[variant.name].max_capacity,
        }
        for variant in variants
    }
    return json.dumps(bounds, sort_keys=True)


def answering(variants: Iterable[Variant]) -> list[str]:
    """Return the names of the variants whose answers callers see."""
    return [variant.name for variant in variants if not variant.shadow]


def endpoints_arn(scope: Construct, naming: Naming) -> str:
    """Return the pattern of every endpoint of this environment, of which there are two while one follows another."""
    return Stack.of(scope).format_arn(service="sagemaker", resource="endpoint", resource_name=f"{naming.prefix}-*")


def acknowledge_endpoints(role: Construct, naming: Naming) -> None:
    """Accept that `role` names every endpoint of this environment."""
    reason = "the endpoint gets another name with another instance type, and then there are two for a while"
    acknowledge_wildcards(role, {endpoints_arn(role, naming): reason})
