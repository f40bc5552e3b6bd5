"""Subnets: a part of a VPC's block in an availability zone.

References: EC2 API reference, CreateSubnet, DescribeSubnets, DeleteSubnet, ModifySubnetAttribute; Amazon VPC User
Guide, "Subnet CIDR blocks" (/16 to /28; five addresses are reserved).
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops.common import cidr, delete_tags_of, lookup, paginate, select, tag_on_create, tag_sets
from twinbore.model import resources as r
from twinbore.model.states import PENDING

LONGEST: Final = 28
RESERVED_ADDRESSES: Final = 5
UNSUPPORTED_MEMBERS: Final = (
    "Ipv6CidrBlock",
    "Ipv6Native",
    "OutpostArn",
    "Ipv4IpamPoolId",
    "Ipv6IpamPoolId",
    "Ipv4NetmaskLength",
    "Ipv6NetmaskLength",
)


@operation("CreateSubnet")
def create_subnet(call: Call, request: Request) -> Response:
    for name in UNSUPPORTED_MEMBERS:
        if request.get(name):
            raise errors.unsupported(f"{name}: a subnet has one IPv4 block here, given as CidrBlock.")
    if request.get("CidrBlock") is None:
        raise errors.missing_parameter("CidrBlock")
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    network = cidr("CidrBlock", request["CidrBlock"])
    if network.prefixlen > LONGEST or not network.subnet_of(IPv4Network(vpc.cidr_block)):
        raise ApiError(
            "InvalidSubnet.Range",
            f"The CIDR '{network}' is invalid: it must be a /{LONGEST} or larger inside {vpc.cidr_block}, "
            f"the block of {vpc.id}.",
        )
    siblings = call.tx.all(r.Subnet, vpc_id=vpc.id)
    for other in siblings:
        if network.overlaps(IPv4Network(other.cidr_block)):
            raise ApiError(
                "InvalidSubnet.Conflict",
                f"The CIDR '{network}' conflicts with another subnet ({other.id}, {other.cidr_block})",
            )
    limit = call.settings.quotas.subnets_per_vpc
    if len(siblings) >= limit:
        raise errors.limit_exceeded("SubnetLimitExceeded", f"subnets in {vpc.id}", limit)
    subnet = r.Subnet(
        call.new_id("subnet"), call.account_id, vpc.id, str(network), _zone(call, request), PENDING, call.now
    )
    call.tx.insert(subnet)
    tag_on_create(call, request, "subnet", subnet.id)
    return {"Subnet": _shape(call, subnet, tag_sets(call, [subnet.id]))}


@operation("DescribeSubnets")
def describe_subnets(call: Call, request: Request) -> Response:
    filters: dict[str, Any] = {
        "availability-zone": lambda s: s.availability_zone,
        "availabilityZone": lambda s: s.availability_zone,
        "available-ip-address-count": lambda s: _available(call, s),
        "cidr": lambda s: s.cidr_block,
        "cidr-block": lambda s: s.cidr_block,
        "cidrBlock": lambda s: s.cidr_block,
        "default-for-az": lambda _: False,
        "defaultForAz": lambda _: False,
        "map-public-ip-on-launch": lambda s: s.map_public_ip_on_launch,
        "owner-id": lambda s: s.account_id,
        "state": lambda s: s.state,
        "subnet-id": lambda s: s.id,
        "vpc-id": lambda s: s.vpc_id,
    }
    subnets = select(call, request, r.Subnet, "subnet", "SubnetIds", filters)
    tags = tag_sets(call, [s.id for s in subnets])
    return paginate(request, [_shape(call, s, tags) for s in subnets], "Subnets")


@operation("DeleteSubnet")
def delete_subnet(call: Call, request: Request) -> Response:
    subnet = lookup(call, r.Subnet, "subnet", request["SubnetId"])
    users = [i.id for i in call.tx.all(r.NetworkInterface, subnet_id=subnet.id)]
    if users:
        raise errors.dependency_violation(
            f"The subnet '{subnet.id}' has dependencies and cannot be deleted: {', '.join(users)}."
        )
    associations = call.tx.all(r.RouteTableAssociation, subnet_id=subnet.id)
    call.tx.delete(r.RouteTableAssociation, *(a.id for a in associations))
    delete_tags_of(call, subnet.id)
    call.tx.delete(r.Subnet, subnet.id)
    return {}


@operation("ModifySubnetAttribute")
def modify_subnet_attribute(call: Call, request: Request) -> Response:
    subnet = lookup(call, r.Subnet, "subnet", request["SubnetId"])
    given = [name for name in request if name != "SubnetId"]
    if given != ["MapPublicIpOnLaunch"]:
        raise errors.unsupported("The only attribute of a subnet that can be changed is MapPublicIpOnLaunch.")
    call.tx.update(subnet, map_public_ip_on_launch=bool(request["MapPublicIpOnLaunch"].get("Value", False)))
    return {}


def _zone(call: Call, request: Request) -> str:
    zones = call.settings.availability_zones
    by_id = {zone_id(call, zone): zone for zone in zones}
    if (given := request.get("AvailabilityZoneId")) is not None:
        if given not in by_id:
            raise errors.invalid_value("AvailabilityZoneId", given, ", ".join(by_id))
        return by_id[given]
    zone: str = request.get("AvailabilityZone", zones[0])
    if zone not in zones:
        raise errors.invalid_value("availabilityZone", zone, ", ".join(zones))
    return zone


def zone_id(call: Call, zone: str) -> str:
    """The id of an availability zone: as AWS's, a short form of the region and a number (`use1-az1`)."""
    words = call.settings.region.split("-")
    short = words[0] + "".join(w[0] for w in words[1:])
    return f"{short}-az{call.settings.availability_zones.index(zone) + 1}"


def _available(call: Call, subnet: r.Subnet) -> int:
    used = len(call.tx.all(r.NetworkInterface, subnet_id=subnet.id))
    return IPv4Network(subnet.cidr_block).num_addresses - RESERVED_ADDRESSES - used


def _shape(call: Call, subnet: r.Subnet, tags: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    return {
        "SubnetId": subnet.id,
        "VpcId": subnet.vpc_id,
        "OwnerId": subnet.account_id,
        "SubnetArn": f"arn:aws:ec2:{call.settings.region}:{subnet.account_id}:subnet/{subnet.id}",
        "CidrBlock": subnet.cidr_block,
        "State": subnet.state,
        "AvailabilityZone": subnet.availability_zone,
        "AvailabilityZoneId": zone_id(call, subnet.availability_zone),
        "AvailableIpAddressCount": _available(call, subnet),
        "DefaultForAz": False,
        "MapPublicIpOnLaunch": subnet.map_public_ip_on_launch,
        "AssignIpv6AddressOnCreation": False,
        "Ipv6Native": False,
        "Ipv6CidrBlockAssociationSet": [],
        "Tags": tags[subnet.id],
    }
