"""Types without an API behind them: kept with their properties, described, deleted."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from sandbox.cloudformation.provisioner import ALL, Outcome, Provisioner, Request, provisions


class Recorded(Provisioner):
    """A resource that exists only in its stack.

    Parameters
    ----------
    prefix : str
        Of the physical ids, such as ``vpc`` in ``vpc-0f3a``.
    attributes : Sequence of str
        What GetAtt may ask: ``Arn`` gives an ARN, a property's name its value, anything else the physical id.
    """

    def __init__(self, prefix: str, attributes: Sequence[str]) -> None:
        self._prefix = prefix
        self._attributes = attributes

    def create(self, request: Request) -> Outcome:
        """Make up a physical id."""
        return self._outcome(request, f"{self._prefix}-{uuid.uuid4().hex[:17]}")

    def update(self, request: Request) -> Outcome:
        """Keep the physical id."""
        return self._outcome(request, request.physical_id)

    def delete(self, request: Request) -> None:
        """Forget it."""

    def _outcome(self, request: Request, physical_id: str) -> Outcome:
        service = request.type_name.split("::")[1].lower()
        known = {"Arn": request.arn(service, f"{self._prefix}/{physical_id}")}
        attributes = {name: known.get(name, request.properties.get(name, physical_id)) for name in self._attributes}
        return Outcome(physical_id, attributes)


def _record(type_name: str, prefix: str, *attributes: str, why: str | None, replaced_by: Iterable[str] = ()) -> None:
    class OneType(Recorded):
        inert = why

        def __init__(self) -> None:
            super().__init__(prefix, attributes)

    OneType.replaced_by = frozenset(replaced_by)
    provisions(type_name)(OneType)


def _record_network(name: str, prefix: str, *attributes: str, replaced_by: Iterable[str]) -> None:
    why = "the sandbox has no network of its own"
    _record(f"AWS::EC2::{name}", prefix, *attributes, why=why, replaced_by=replaced_by)


_record_network(
    "VPC",
    "vpc",
    *("VpcId", "CidrBlock", "DefaultSecurityGroup", "DefaultNetworkAcl"),
    replaced_by=("CidrBlock", "Ipv4IpamPoolId", "Ipv4NetmaskLength", "VpcEncryptionControl"),
)
_record_network(
    "Subnet",
    "subnet",
    *("SubnetId", "AvailabilityZone", "CidrBlock"),
    replaced_by=(
        *("AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "Ipv4IpamPoolId", "Ipv4NetmaskLength"),
        *("Ipv6IpamPoolId", "Ipv6Native", "Ipv6NetmaskLength", "OutpostArn", "VpcId"),
    ),
)
_record_network("RouteTable", "rtb", "RouteTableId", replaced_by=("VpcId",))
_record_network("SubnetRouteTableAssociation", "rtbassoc", "Id", replaced_by=ALL)
_record_network(
    "Route",
    "r",
    "CidrBlock",
    replaced_by=("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId", "RouteTableId"),
)
_record_network("InternetGateway", "igw", "InternetGatewayId", replaced_by=())
_record_network("VPCGatewayAttachment", "attachment", "AttachmentType", replaced_by=("VpcId",))
_record_network(
    "EIP",
    "eip",
    *("AllocationId", "PublicIp"),
    replaced_by=("Address", "IpamPoolId", "NetworkBorderGroup", "TransferAddress"),
)
_record_network(
    "NatGateway",
    "nat",
    "NatGatewayId",
    replaced_by=(
        *("AllocationId", "AvailabilityMode", "ConnectivityType", "PrivateIpAddress"),
        *("SubnetId", "VpcId"),
    ),
)
_record_network("SecurityGroup", "sg", "GroupId", "VpcId", "Id", replaced_by=("GroupDescription", "GroupName", "VpcId"))
_record_network(
    "SecurityGroupIngress",
    "sgr",
    "Id",
    replaced_by=(
        *("CidrIp", "CidrIpv6", "FromPort", "GroupId", "GroupName", "IpProtocol", "SourcePrefixListId"),
        *("SourceSecurityGroupId", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "ToPort"),
    ),
)
_record_network(
    "SecurityGroupEgress",
    "sgr",
    "Id",
    replaced_by=(
        *("CidrIp", "CidrIpv6", "DestinationPrefixListId", "DestinationSecurityGroupId", "FromPort", "GroupId"),
        *("IpProtocol", "ToPort"),
    ),
)
_record_network(
    "VPCEndpoint",
    "vpce",
    *("Id", "DnsEntries", "NetworkInterfaceIds"),
    replaced_by=(
        *("DnsOptions", "ResourceConfigurationArn", "ServiceName", "ServiceNetworkArn", "ServiceRegion"),
        *("VpcEndpointType", "VpcId"),
    ),
)
_record_network(
    "FlowLog",
    "fl",
    "Id",
    replaced_by=(
        *("DeliverCrossAccountRole", "DeliverLogsPermissionArn", "DestinationOptions", "LogDestination"),
        *("LogDestinationType", "LogFormat", "LogGroupName", "MaxAggregationInterval", "ResourceId"),
        *("ResourceType", "TagFieldSpecifications", "TrafficType"),
    ),
)
_record("AWS::CloudWatch::CompositeAlarm", "alarm", "Arn", why="nothing evaluates it", replaced_by=("AlarmName",))
_record("AWS::CloudWatch::Dashboard", "dashboard", why="nothing draws it", replaced_by=("DashboardName",))
_record(
    "AWS::Budgets::Budget",
    "budget",
    why="nothing costs anything",
    replaced_by=("Budget", "NotificationsWithSubscribers"),
)
_record("AWS::WAFv2::WebACL", "webacl", "Arn", "Id", why="no request is filtered", replaced_by=("Name", "Scope"))
_record("AWS::WAFv2::WebACLAssociation", "association", why="no request is filtered", replaced_by=ALL)
# In AWS, too, these two only exist.
_record("AWS::CDK::Metadata", "metadata", why=None)
_record("AWS::CloudFormation::WaitConditionHandle", "handle", why=None)
