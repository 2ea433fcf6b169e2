"""The only translator of `[endpoint.deployment]` to CloudFormation."""

from __future__ import annotations

from aws_cdk import aws_sagemaker as sagemaker

from config.deployment import AllAtOnce, Canary, CapacitySize, Linear, Rolling, Strategy
from stacks.constructs.rollback_alarms import RollbackAlarms

Endpoint = sagemaker.CfnEndpoint


def deployment_config(deployment: Strategy, alarms: RollbackAlarms | None) -> Endpoint.DeploymentConfigProperty | None:
    """Return how SageMaker updates the endpoint; None is its own default, all at once and unwatched.

    Parameters
    ----------
    alarms : RollbackAlarms, optional
        Where the new fleet is watched.
    """
    if deployment == AllAtOnce():
        return None
    rolling = isinstance(deployment, Rolling)
    return Endpoint.DeploymentConfigProperty(
        auto_rollback_configuration=alarms.configuration if alarms else None,
        blue_green_update_policy=None if rolling else _blue_green(deployment),
        rolling_update_policy=_rolling(deployment) if isinstance(deployment, Rolling) else None,
    )


def _blue_green(deployment: Strategy) -> Endpoint.BlueGreenUpdatePolicyProperty:
    routing = Endpoint.TrafficRoutingConfigProperty(
        type=_type(deployment),
        wait_interval_in_seconds=deployment.wait_interval_seconds,
        canary_size=_size(deployment.canary_size) if isinstance(deployment, Canary) else None,
        linear_step_size=_size(deployment.linear_step_size) if isinstance(deployment, Linear) else None,
    )
    return Endpoint.BlueGreenUpdatePolicyProperty(
        traffic_routing_configuration=routing,
        termination_wait_in_seconds=deployment.termination_wait_seconds,
        maximum_execution_timeout_in_seconds=deployment.maximum_execution_timeout_seconds,
    )


def _type(deployment: Strategy) -> str:
    if isinstance(deployment, Canary):
        return "CANARY"
    return "LINEAR" if isinstance(deployment, Linear) else "ALL_AT_ONCE"


def _rolling(deployment: Rolling) -> Endpoint.RollingUpdatePolicyProperty:
    back = deployment.rollback_maximum_batch_size
    return Endpoint.RollingUpdatePolicyProperty(
        maximum_batch_size=_size(deployment.maximum_batch_size),
        wait_interval_in_seconds=deployment.wait_interval_seconds,
        maximum_execution_timeout_in_seconds=deployment.maximum_execution_timeout_seconds,
        rollback_maximum_batch_size=_size(back) if back else None,
    )


def _size(size: CapacitySize) -> Endpoint.CapacitySizeProperty:
    if size.instance_count:
        return Endpoint.CapacitySizeProperty(type="INSTANCE_COUNT", value=size.instance_count)
    return Endpoint.CapacitySizeProperty(type="CAPACITY_PERCENT", value=size.capacity_percent or 0)
