"""Subnets: parts of a VPC's block, each in one availability zone.

* A block is a /16 to a /28 inside the VPC's that overlaps no other subnet. Five addresses of each belong to AWS's
  reservations: the network address, the router, two for services, and the last one.
* A subnet without an association of its own uses the VPC's main route table.

References: EC2 API reference, CreateSubnet, DeleteSubnet; Amazon VPC User Guide, "Subnet sizing for IPv4".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpc_defaults
from twinbore.api.ops.common import (
    absent,
    cidr,
    delete_tags_of,
    lookup,
    paginate,
    refuse_others,
    select,
    tag_on_create,
    tag_sets,
)
from twinbore.api.ops.zones import zone_ids, zone_of_request
from twinbore.model import resources as r
from twinbore.model.states import PENDING

LARGEST_BLOCK: Final = 16
SMALLEST_BLOCK: Final = 28
RESERVED_ADDRESSES: Final = 5


@operation("CreateSubnet")
def create_subnet(call: Call, request: Request) -> Response:
    refuse_others(request, "VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId", "TagSpecifications")
    vpc = lookup(call, r.Vpc, "vpc", request["VpcId"])
    if request.get("CidrBlock") is None:
        raise errors.missing_parameter("CidrBlock")
    network = cidr("CidrBlock", request["CidrBlock"])
    zone = zone_of_request(call.settings, request)
    if not LARGEST_BLOCK <= network.prefixlen <= SMALLEST_BLOCK or not network.subnet_of(IPv4Network(vpc.cidr_block)):
        raise errors.ApiError(
            "InvalidSubnet.Range",
            f"The CIDR '{network}' is invalid. CidrBlock must be a /{LARGEST_BLOCK} to a /{SMALLEST_BLOCK} inside "
            f"{vpc.cidr_block}, the block of {vpc.id}.",
        )
    others = call.tx.all(r.Subnet, vpc_id=vpc.id)
    for other in others:
        if network.overlaps(IPv4Network(other.cidr_block)):
            raise errors.ApiError(
                "InvalidSubnet.Conflict",
                f"The CIDR '{network}' conflicts with another subnet: {other.id} has {other.cidr_block}.",
            )
    limit = call.settings.quotas.subnets_per_vpc
    if len(others) >= limit:
        raise errors.limit_exceeded("SubnetLimitExceeded", f"subnets of {vpc.id}", limit)
    subnet = r.Subnet(call.new_id("subnet"), call.account_id, vpc.id, str(network), zone, PENDING, call.now)
    call.tx.insert(subnet)
    tag_on_create(call, request, "subnet", subnet.id)
    return {"Subnet": _shape(call, subnet, 0, tag_sets(call, [subnet.id]))}


@operation("DescribeSubnets")
def describe_subnets(call: Call, request: Request) -> Response:
    used: Counter[str] = Counter()
    for interface in call.tx.all(r.NetworkInterface, account_id=call.account_id):
        used[interface.subnet_id] += 1 + len(interface.secondary_addresses)
    ids = zone_ids(call.settings)
    filters: dict[str, Any] = {
        "available-ip-address-count": lambda s: _available(s, used[s.id]),
        "enable-dns64": lambda _: False,
        "ipv6-native": lambda _: False,
        "map-customer-owned-ip-on-launch": lambda _: False,
        "map-public-ip-on-launch": lambda s: s.map_public_ip_on_launch,
        "owner-id": lambda s: s.account_id,
        "private-dns-name-options-on-launch.enable-resource-name-dns-a-record": lambda _: False,
        "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record": lambda _: False,
        "private-dns-name-options-on-launch.hostname-type": lambda _: "ip-name",
        "state": lambda s: s.state,
        "subnet-arn": lambda s: _arn(call, s),
        "subnet-id": lambda s: s.id,
        "vpc-id": lambda s: s.vpc_id,
    }
    filters |= dict.fromkeys(("availability-zone", "availabilityZone"), lambda s: s.availability_zone)
    filters |= dict.fromkeys(("availability-zone-id", "availabilityZoneId"), lambda s: ids.get(s.availability_zone))
    filters |= dict.fromkeys(("cidr-block", "cidr", "cidrBlock"), lambda s: s.cidr_block)
    filters |= dict.fromkeys(("default-for-az", "defaultForAz"), lambda _: False)
    filters |= absent("customer-owned-ipv4-pool", "enable-lni-at-device-index", "outpost-arn")
    filters |= absent(*(f"ipv6-cidr-block-association.{n}" for n in ("ipv6-cidr-block", "association-id", "state")))
    subnets = select(call, request, r.Subnet, "subnet", "SubnetIds", filters)
    tags = tag_sets(call, [s.id for s in subnets])
    return paginate(request, [_shape(call, s, used[s.id], tags) for s in subnets], "Subnets", "SubnetIds")


@operation("DeleteSubnet")
def delete_subnet(call: Call, request: Request) -> Response:
    subnet = lookup(call, r.Subnet, "subnet", request["SubnetId"])
    interfaces = [i.id for i in call.tx.all(r.NetworkInterface, subnet_id=subnet.id)]
    if interfaces:
        raise errors.has_dependencies("subnet", subnet.id, interfaces)
    associations = call.tx.all(r.RouteTableAssociation, subnet_id=subnet.id)
    call.tx.delete(r.RouteTableAssociation, *(a.id for a in associations))
    vpc_defaults.delete_of_subnet(call, subnet)
    call.tx.delete(r.Subnet, subnet.id)
    delete_tags_of(call, subnet.id)
    return {}


@operation("ModifySubnetAttribute")
def modify_subnet_attribute(call: Call, request: Request) -> Response:
    """MapPublicIpOnLaunch is kept and shown; nothing is launched here, so nothing follows from it."""
    subnet = lookup(call, r.Subnet, "subnet", request["SubnetId"])
    values = {name: request[name] for name in request}
    values = {name: given["Value"] if isinstance(given, dict) else given for name, given in values.items()}
    refuse_others(values, "SubnetId", "MapPublicIpOnLaunch")
    if "MapPublicIpOnLaunch" in values:
        call.tx.update(subnet, map_public_ip_on_launch=values["MapPublicIpOnLaunch"])
    return {}


def _available(subnet: r.Subnet, used: int) -> int:
    return IPv4Network(subnet.cidr_block).num_addresses - RESERVED_ADDRESSES - used


def _arn(call: Call, subnet: r.Subnet) -> str:
    return f"arn:aws:ec2:{call.settings.region}:{subnet.account_id}:subnet/{subnet.id}"


def _shape(call: Call, subnet: r.Subnet, used: int, tags: Mapping[str, list[dict[str, str]]]) -> dict[str, Any]:
    """`used` is the number of addresses that network interfaces have in the subnet."""
    return {
        "SubnetId": subnet.id,
        "SubnetArn": _arn(call, subnet),
        "OwnerId": subnet.account_id,
        "VpcId": subnet.vpc_id,
        "State": subnet.state,
        "CidrBlock": subnet.cidr_block,
        "AvailableIpAddressCount": _available(subnet, used),
        "AvailabilityZone": subnet.availability_zone,
        "AvailabilityZoneId": zone_ids(call.settings).get(subnet.availability_zone),
        "DefaultForAz": False,
        "MapPublicIpOnLaunch": subnet.map_public_ip_on_launch,
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": False,
        "EnableDns64": False,
        "Ipv6Native": False,
        "Ipv6CidrBlockAssociationSet": [],
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": False,
        },
        "Tags": tags[subnet.id],
    }
