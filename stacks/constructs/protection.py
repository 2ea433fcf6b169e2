"""How everything of one environment is encrypted and isolated: one object that every stack is given.

It changes what constructs and job parameters have become, so that they need not know of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sagemaker as sagemaker

from stacks.constructs.acknowledgements import acknowledge_wildcards
from stacks.constructs.hosted_model import HostedModel
from stacks.constructs.lambda_function import LambdaFunction

# Families whose instances bring local storage, which their hardware encrypts: SageMaker refuses a key for them
# (SageMaker API, ResourceConfig.VolumeKmsKeyId and CreateEndpointConfig.KmsKeyId).
LOCAL_STORAGE = re.compile(r"ml\.([a-z]+\d+[a-z]*d[a-z]*|g4dn|g5|g6e?|gr6|p4de?|p5\w*|trn\w+|i\d\w*)\.")


# What SageMaker and Lambda do to run something in a VPC. Little of it could be bound to resources, and those are made
# while it runs (SageMaker developer guide, "Give SageMaker Access to Resources in your Amazon VPC"; Lambda developer
# guide, "Giving Lambda functions access to resources in an Amazon VPC").
NETWORK_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVpcs",
)
SAGEMAKER_NETWORK_ACTIONS = (
    *NETWORK_ACTIONS,
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeDhcpOptions",
)


@dataclass(frozen=True)
class Network:
    """Subnets and the security group of what runs in them."""

    vpc: ec2.IVpc
    workloads: ec2.ISecurityGroup

    @property
    def subnet_ids(self) -> list[str]:
        """Ids of all subnets."""
        return self.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED).subnet_ids


@dataclass(frozen=True, kw_only=True)
class Protection:
    """One environment's.

    Parameters
    ----------
    key : IKey or None
        Encrypts data, logs, messages and volumes; None: AWS's own keys do.
    isolated : bool
        Whether the containers of jobs have no network but among themselves.
    network : Network or None
        Where jobs, models and the function that predicts run; None: outside of any VPC.
    log_retention_days : int
        Of every log group.
    """

    key: kms.IKey | None
    isolated: bool
    network: Network | None
    log_retention_days: int

    def let_use_key(self, principal: iam.IGrantable, *actions: str) -> None:
        """Let `principal` use the key: ``Decrypt`` to read an object, ``GenerateDataKey`` to write one.

        ``CreateGrant`` is for the volumes of a job, which SageMaker encrypts in the role's name.
        """
        if self.key:
            wanted = [f"kms:{action}" for action in actions]
            principal.grant_principal.add_to_principal_policy(
                iam.PolicyStatement(actions=wanted, resources=[self.key.key_arn])
            )

    def let_join_network(self, role: iam.Role, actions: tuple[str, ...] = SAGEMAKER_NETWORK_ACTIONS) -> None:
        """Let `role` attach what it runs to the network."""
        if self.network:
            # interfaces have no names before they are made, and the descriptions know no resource
            role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=["*"]))
            acknowledge_wildcards(role, {"*": "network interfaces are made for each job, instance or function"})

    def model(self, hosted: HostedModel) -> None:
        """Let a model read an encrypted artifact, and run it in the network."""
        self.let_use_key(hosted.role, "Decrypt")
        self.let_join_network(hosted.role)
        if self.network:
            hosted.model.vpc_config = sagemaker.CfnModel.VpcConfigProperty(
                subnets=self.network.subnet_ids, security_group_ids=[self.network.workloads.security_group_id]
            )

    def function(self, function: LambdaFunction) -> None:
        """Run a function in the network; for those that handle data."""
        self.let_join_network(function.execution_role, NETWORK_ACTIONS)
        if self.network:
            resource = function.node.default_child
            assert isinstance(resource, lambda_.CfnFunction)
            resource.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
                subnet_ids=self.network.subnet_ids, security_group_ids=[self.network.workloads.security_group_id]
            )
            resource.node.add_dependency(function.execution_role)  # its policy too: Lambda checks it at once

    def job(self, parameters: Mapping[str, Any], *, needs_network: bool = False) -> dict[str, Any]:
        """Return the parameters of a Create*Job call of SageMaker, protected.

        Parameters
        ----------
        needs_network : bool
            Whether the container would not work without a network.
        """
        changed = dict(parameters)
        if "TrainingJobDefinition" in changed:
            changed["TrainingJobDefinition"] = self.job(changed["TrainingJobDefinition"], needs_network=needs_network)
        elif "ProcessingResources" in changed:
            changed |= self._processing(changed, isolated=self.isolated and not needs_network)
        else:
            changed |= self._training(changed, isolated=self.isolated and not needs_network)
        return changed

    def _processing(self, job: Mapping[str, Any], *, isolated: bool) -> dict[str, Any]:
        cluster = job["ProcessingResources"]["ClusterConfig"]
        return {
            "ProcessingResources": {"ClusterConfig": {**cluster, **self._volume(cluster["InstanceType"])}},
            "ProcessingOutputConfig": {**job["ProcessingOutputConfig"], **self._output()},
            "NetworkConfig": self._reach(cluster["InstanceCount"], isolated=isolated),
        }

    def _training(self, job: Mapping[str, Any], *, isolated: bool) -> dict[str, Any]:
        resources = job["ResourceConfig"]
        return {
            "ResourceConfig": {**resources, **self._volume(resources["InstanceType"])},
            "OutputDataConfig": {**job["OutputDataConfig"], **self._output()},
            **self._reach(resources["InstanceCount"], isolated=isolated),
        }

    def _reach(self, instances: int, *, isolated: bool) -> dict[str, Any]:
        """Return whom a job's containers reach; several encrypt what they tell each other."""
        reach = {"EnableNetworkIsolation": isolated, "EnableInterContainerTrafficEncryption": instances > 1}
        if not self.network:
            return reach
        groups = [self.network.workloads.security_group_id]
        return {**reach, "VpcConfig": {"Subnets": self.network.subnet_ids, "SecurityGroupIds": groups}}

    def _volume(self, instance_type: str) -> dict[str, str]:
        return {"VolumeKmsKeyId": self.key.key_arn} if self.key and not LOCAL_STORAGE.match(instance_type) else {}

    def _output(self) -> dict[str, str]:
        return {"KmsKeyId": self.key.key_arn} if self.key else {}

    def endpoint_config(self, config: sagemaker.CfnEndpointConfig, instance_types: Iterable[str]) -> None:
        """Encrypt the volumes of an endpoint's instances; one type with local storage excludes the key for all."""
        if self.key and not any(LOCAL_STORAGE.match(instance_type) for instance_type in instance_types):
            config.kms_key_id = self.key.key_arn

    def log_groups(self, stacks: Iterable[Stack]) -> None:
        """Encrypt every log group of `stacks`, and let it expire."""
        key_arn = self.key.key_arn if self.key else None
        for stack in stacks:
            for construct in stack.node.find_all():
                if isinstance(construct, logs.CfnLogGroup):
                    construct.retention_in_days = self.log_retention_days
                    construct.kms_key_id = key_arn
