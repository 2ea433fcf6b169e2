"""The network, where the settings want one: isolated subnets, and AWS's services by endpoints in them."""

from __future__ import annotations

from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from config.network import Network

# What is called from inside: by SageMaker in the name of jobs and models, by the function that predicts.
SERVICES = {
    "SageMakerApi": ec2.InterfaceVpcEndpointAwsService.SAGEMAKER_API,
    "SageMakerRuntime": ec2.InterfaceVpcEndpointAwsService.SAGEMAKER_RUNTIME,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "Metrics": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_MONITORING,
    "Registry": ec2.InterfaceVpcEndpointAwsService.ECR,
    "Images": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Tokens": ec2.InterfaceVpcEndpointAwsService.STS,
    "Keys": ec2.InterfaceVpcEndpointAwsService.KMS,
    "Parameters": ec2.InterfaceVpcEndpointAwsService.SSM,
    "Traces": ec2.InterfaceVpcEndpointAwsService.XRAY,
}
HTTPS = ec2.Port.tcp(443)
ISOLATED = ec2.SubnetType.PRIVATE_ISOLATED


class NetworkStack(Stack):
    """A VPC of isolated subnets; `workloads` is the security group of what runs in it."""

    def __init__(self, scope: Construct, construct_id: str, *, network: Network, **stack: Any) -> None:
        super().__init__(scope, construct_id, **stack)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(network.cidr),
            max_azs=network.availability_zones,
            nat_gateways=0,
            subnet_configuration=[ec2.SubnetConfiguration(name="Isolated", subnet_type=ISOLATED)],
            # the CDK would empty it with a function of its own, whose role may change any group; nothing uses this one
            restrict_default_security_group=False,
            gateway_endpoints={"S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)},
        )
        self._log_flows()
        self.workloads = self._security_group("Workloads", "Jobs, models and functions.")
        # to the endpoints, and by the gateway endpoint to S3, whose addresses are public; there is no other way out
        self.workloads.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "AWS services by their endpoints")
        self.workloads.add_egress_rule(self.workloads, ec2.Port.all_tcp(), "Instances of one job among themselves")
        self.workloads.add_ingress_rule(self.workloads, ec2.Port.all_tcp(), "Instances of one job among themselves")
        endpoints = self._security_group("Endpoints", "Endpoints of AWS services.")
        endpoints.add_ingress_rule(self.workloads, HTTPS, "Jobs, models and functions")
        for name, service in SERVICES.items():
            self.vpc.add_interface_endpoint(name, service=service, security_groups=[endpoints], open=False)

    def _security_group(self, construct_id: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, construct_id, vpc=self.vpc, description=description, allow_all_outbound=False)

    def _log_flows(self) -> None:
        group = logs.LogGroup(self, "Flows", removal_policy=RemovalPolicy.DESTROY)
        self.vpc.add_flow_log("FlowLog", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group))
