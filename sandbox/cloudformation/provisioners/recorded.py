"""Types without an API behind them: kept with their properties, described, deleted."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sandbox.cloudformation.provisioner import Outcome, Provisioner, Request, provisions


class Recorded(Provisioner):
    """A resource that exists only in its stack.

    Parameters
    ----------
    prefix : str
        Of the physical ids, such as ``vpc`` in ``vpc-0f3a``.
    attributes : Sequence of str
        What GetAtt may ask: ``Arn`` gives an ARN, a property's name its value, anything else the physical id.
    name_property : str, optional
        The property that is the physical id when the template gives it.
    """

    def __init__(self, prefix: str, attributes: Sequence[str], name_property: str | None) -> None:
        self._prefix = prefix
        self._attributes = attributes
        self._name_property = name_property

    def create(self, request: Request) -> Outcome:
        """Make up a physical id."""
        physical_id = f"{self._prefix}-{uuid.uuid4().hex[:17]}"
        return self._outcome(request, str(request.properties.get(self._name_property or "", physical_id)))

    def update(self, request: Request) -> Outcome:
        """Keep the physical id."""
        return self._outcome(request, request.physical_id)

    def delete(self, request: Request) -> None:
        """Forget it."""

    def needs_replacement(self, property_name: str) -> bool:
        """Return whether the name changes; nothing else is worth a new id."""
        return property_name == self._name_property

    def _outcome(self, request: Request, physical_id: str) -> Outcome:
        service = request.type_name.split("::")[1].lower()
        arn = request.arn(service, f"{self._prefix}/{physical_id}")
        known = {"Arn": arn}
        attributes = {name: known.get(name, request.properties.get(name, physical_id)) for name in self._attributes}
        return Outcome(physical_id, attributes)


def _record(type_name: str, prefix: str, *attributes: str, why: str | None, name_property: str | None = None) -> None:
    class OneType(Recorded):
        inert = why

        def __init__(self) -> None:
            super().__init__(prefix, attributes, name_property)

    provisions(type_name)(OneType)


_NO_NETWORK = "the sandbox has no network of its own"
_record("AWS::EC2::VPC", "vpc", "VpcId", "CidrBlock", "DefaultSecurityGroup", "DefaultNetworkAcl", why=_NO_NETWORK)
_record("AWS::EC2::Subnet", "subnet", "SubnetId", "AvailabilityZone", "CidrBlock", why=_NO_NETWORK)
_record("AWS::EC2::RouteTable", "rtb", "RouteTableId", why=_NO_NETWORK)
_record("AWS::EC2::SubnetRouteTableAssociation", "rtbassoc", "Id", why=_NO_NETWORK)
_record("AWS::EC2::Route", "r", "CidrBlock", why=_NO_NETWORK)
_record("AWS::EC2::InternetGateway", "igw", "InternetGatewayId", why=_NO_NETWORK)
_record("AWS::EC2::VPCGatewayAttachment", "attachment", "AttachmentType", why=_NO_NETWORK)
_record("AWS::EC2::EIP", "eip", "AllocationId", "PublicIp", why=_NO_NETWORK)
_record("AWS::EC2::NatGateway", "nat", "NatGatewayId", why=_NO_NETWORK)
_record("AWS::EC2::SecurityGroup", "sg", "GroupId", "VpcId", "Id", why=_NO_NETWORK)
_record("AWS::EC2::SecurityGroupIngress", "sgr", "Id", why=_NO_NETWORK)
_record("AWS::EC2::SecurityGroupEgress", "sgr", "Id", why=_NO_NETWORK)
_record("AWS::EC2::VPCEndpoint", "vpce", "Id", "DnsEntries", "NetworkInterfaceIds", why=_NO_NETWORK)
_record("AWS::EC2::FlowLog", "fl", "Id", why=_NO_NETWORK)
_record("AWS::CloudWatch::CompositeAlarm", "alarm", "Arn", why="nothing evaluates it", name_property="AlarmName")
_record("AWS::CloudWatch::Dashboard", "dashboard", why="nothing draws it", name_property="DashboardName")
_record("AWS::Budgets::Budget", "budget", why="nothing costs anything")
_record("AWS::WAFv2::WebACL", "webacl", "Arn", "Id", why="no request is filtered")
_record("AWS::WAFv2::WebACLAssociation", "association", why="no request is filtered")
# In AWS, too, these two only exist.
_record("AWS::CDK::Metadata", "metadata", why=None)
_record("AWS::CloudFormation::WaitConditionHandle", "handle", why=None)
